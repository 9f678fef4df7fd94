"""Reads the input in blocks of whole lines, without waiting for a block to fill."""

from __future__ import annotations

import codecs
import contextlib
import fcntl
import io
import os
import select
from typing import IO, TYPE_CHECKING, Any

from target_pipelines.api.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_POLL_SECONDS = 0.5
"""How long a signal may be unnoticed."""
_BLOCK_BYTES = 128 * 1024
_PIPE_BYTES = 1024 * 1024  # the most that Linux allows unprivileged processes
MAX_LINE_BYTES = 50 * 1024 * 1024
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_blocks(source: IO[Any]) -> Iterator[bytes]:
    """Yield blocks of whole lines as they arrive; the last line may lack its newline.

    Of a line longer than `MAX_LINE_BYTES` only a beginning that is longer, too, is kept.

    Raises:
        InputError: the input is UTF-16.
    """
    read = _reader_of(source)
    rest: list[bytes] = []
    rest_bytes = 0
    is_first = True
    while block := read(_BLOCK_BYTES):
        if is_first and block.startswith(_UTF_16):
            raise InputError("The input is UTF-16 text. Let the tap write UTF-8.")
        is_first = False
        if rest_bytes > MAX_LINE_BYTES:  # without the end of a line that is too long
            block = block[block.find(b"\n") :] if b"\n" in block else b""
        if end := block.rfind(b"\n") + 1:
            yield b"".join([*rest, memoryview(block)[:end]])
            rest, rest_bytes = [], 0
        rest.append(block[end:])
        rest_bytes += len(block) - end
    if last := b"".join(rest):
        yield last if rest_bytes <= MAX_LINE_BYTES else last + b"\n"


def widen_pipe(file: int) -> None:
    """Enlarge a pipe's buffer to reduce context switches; do nothing for files."""
    with contextlib.suppress(OSError, AttributeError):  # not a pipe, not permitted, or not Linux
        fcntl.fcntl(file, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


def _reader_of(source: IO[Any]) -> Callable[[int], bytes]:
    """A function that reads up to a number of bytes, as soon as any are available."""
    try:
        file = source.fileno()
    except io.UnsupportedOperation:
        return lambda count: _to_bytes(source.read(count))
    widen_pipe(file)

    def read(count: int) -> bytes:
        # A signal that arrives just before a read would be handled only after it, perhaps never.
        while not select.select([file], [], [], _POLL_SECONDS)[0]:
            pass
        return os.read(file, count)

    return read


def _to_bytes(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text
