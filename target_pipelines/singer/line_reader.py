"""Reads the input in blocks of whole lines, without waiting for a block to fill."""

from __future__ import annotations

import codecs
import contextlib
import fcntl
import io
import json
import os
import select
from typing import IO, TYPE_CHECKING, Any

from target_pipelines.singer.repair import MAX_LINE_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_POLL_SECONDS = 0.5
"""How long a signal may be unnoticed."""
_BLOCK_BYTES = 128 * 1024
_PIPE_BYTES = 1024 * 1024  # the most that Linux allows unprivileged processes
_ENCODING_BYTES = 4
"""How many bytes tell the encoding."""


def read_blocks(source: IO[Any]) -> Iterator[bytes]:
    """Yield blocks of whole lines as they arrive; the last line may lack its newline.

    Of a line longer than `MAX_LINE_BYTES` only the beginning is kept, and one byte more than that.
    """
    rest: list[bytes] = []
    rest_bytes = 0
    for block in _as_utf8(_reader_of(source)):
        if end := block.rfind(b"\n") + 1:
            if rest_bytes > MAX_LINE_BYTES:  # without the end of a line that is too long
                rest.append(block[block.index(b"\n") : end])
            else:
                rest.append(block[:end])
            yield b"".join(rest)
            rest, rest_bytes = [], 0
        if rest_bytes <= MAX_LINE_BYTES:
            rest.append(block[end:])
            rest_bytes += len(block) - end
    if last := b"".join(rest):
        yield last


def _as_utf8(read: Callable[[int], bytes]) -> Iterator[bytes]:
    """The blocks of the input: in UTF-8, whatever its first bytes say that it is written in."""
    first = read(_BLOCK_BYTES)
    while 0 < len(first) < _ENCODING_BYTES and (more := read(_BLOCK_BYTES)):
        first += more
    encoding = json.detect_encoding(first)
    if encoding == "utf-8":
        decode = bytes
    elif encoding == "utf-8-sig":
        first, decode = first.removeprefix(codecs.BOM_UTF8), bytes
    else:
        decoder = codecs.getincrementaldecoder(encoding)("replace")
        decode = lambda block: decoder.decode(block).encode()  # noqa: E731
    if first:
        yield decode(first)
    while block := read(_BLOCK_BYTES):
        yield decode(block)


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
