"""Hands configurations with secrets to the programs: files in memory, which no disk sees."""

from __future__ import annotations

import contextlib
import json
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@contextlib.contextmanager
def private_file(name: str, config: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """A file with a configuration, as JSON: its path here and in a child, and its descriptor.

    A child gets the descriptor with the `pass_fds` of `subprocess`.
    """
    descriptor = os.memfd_create(name)
    try:
        with open(descriptor, "w", encoding="utf-8", closefd=False) as file:
            json.dump(config, file)
        yield f"/proc/self/fd/{descriptor}", descriptor
    finally:
        os.close(descriptor)
