"""Reserves stdout for states: other output, such as a plugin's `print`, goes to stderr."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Callable, Iterator

Write = Callable[[bytes], None]
"""Writes bytes to stdout, unbuffered. Raises BrokenPipeError."""


@contextlib.contextmanager
def private_stdout() -> Iterator[Write]:
    """Redirect stdout to stderr in the block; yield a function that writes to the real stdout."""
    try:
        number = sys.stdout.fileno()
    except io.UnsupportedOperation:  # replaced by an in-memory stream
        own = sys.stdout
        with contextlib.redirect_stdout(sys.stderr):
            yield lambda data: _write_text(own, data)
        return
    sys.stdout.flush()
    own_number = os.dup(number)
    os.dup2(sys.stderr.fileno(), number)
    try:
        yield lambda data: _write_all(own_number, data)
    finally:
        sys.stdout.flush()
        os.dup2(own_number, number)
        os.close(own_number)


def _write_all(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]


def _write_text(file: io.TextIOBase | object, data: bytes) -> None:
    file.write(data.decode())  # type: ignore[union-attr]  # as sys.stdout is
