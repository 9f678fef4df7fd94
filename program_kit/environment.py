"""Explains values of environment variables that singer-sdk could not read."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from program_kit.text_files import UNREADABLE, describe_read_error

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from program_kit.settings import Setting


def find_environment_problems(prefix: str, settings: Iterable[Setting]) -> Iterator[str]:
    """A sentence for each variable, such as `PREFIX_PORT`, whose value is not of its type.

    The value is not shown: it may contain a password.
    """
    for setting in settings:
        variable = f"{prefix}{setting.name.upper()}"
        text = os.environ.get(variable)
        if text is None:
            continue
        if setting.schema.get("type") == "integer":
            if not text.strip().lstrip("+-").isdecimal():
                yield f"The environment variable {variable} must be a whole number."
        elif setting.schema.get("type") in ("object", "array"):
            try:
                json.loads(text)
            except UNREADABLE as reason:
                yield (
                    f"The environment variable {variable} cannot be read: "
                    f"{describe_read_error(reason)}."
                )
