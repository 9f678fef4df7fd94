"""What the type modules share: the form of a type on the wire and the framings of values."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from sandbox.sql_server.results import SqlError, SqlType

COLLATION = bytes.fromhex("0904d00034")
"""SQL_Latin1_General_CP1_CI_AS: locale 0x0409, its comparison flags, sort id 52; code page 1252."""

PLP_NULL = b"\xff" * 8
PLP_CHUNK_BYTES = 64 * 1024
_MAX_INLINE_CHUNK = struct.Struct("<QI")
_PLP_END = b"\x00\x00\x00\x00"


@dataclass(frozen=True, slots=True)
class WireType:
    """A type on the wire: its TYPE_INFO, what stands for NULL, and a value with its length.

    `null` is None where the form has no NULL: the fixed-length types of columns that are NOT NULL.
    """

    type_info: bytes
    null: bytes | None
    encode: Callable[[Any], bytes]
    is_large_object: bool = False
    user_type: int = 0

    def encode_or_null(self, value: Any) -> bytes:
        """A value, or NULL for None."""
        if value is not None:
            return self.encode(value)
        if self.null is None:
            raise SqlError(515, "A column that is described as NOT NULL holds a NULL.")
        return self.null


WireTypeFactory: TypeAlias = Callable[[SqlType, bool], WireType]
"""Makes the wire form of a type; the flag says whether the column may hold NULLs."""


def byte_length(pack: Callable[[Any], bytes], size: int) -> Callable[[Any], bytes]:
    """Values of one size behind a length of one byte (BYTELEN_TYPE)."""
    prefix = bytes([size])
    return lambda value: prefix + pack(value)


def in_chunks(data: bytes) -> bytes:
    """Partially length-prefixed bytes: the total, chunks, an empty chunk ([MS-TDS] 2.2.5.2.3)."""
    size = len(data)
    if 0 < size <= PLP_CHUNK_BYTES:
        return _MAX_INLINE_CHUNK.pack(size, size) + data + _PLP_END
    parts = [struct.pack("<Q", size)]
    for start in range(0, size, PLP_CHUNK_BYTES):
        chunk = data[start : start + PLP_CHUNK_BYTES]
        parts += struct.pack("<I", len(chunk)), chunk
    parts.append(_PLP_END)
    return b"".join(parts)


def short_text(text: str) -> bytes:
    """B_VARCHAR: a count of UTF-16 units in one byte, then the text."""
    data = text.encode("utf-16-le", "surrogatepass")
    return bytes([len(data) // 2]) + data


def long_text(text: str) -> bytes:
    """US_VARCHAR: the same with a count of two bytes."""
    data = text.encode("utf-16-le", "surrogatepass")
    return struct.pack("<H", len(data) // 2) + data
