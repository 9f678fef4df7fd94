"""The wire form of a type, and the text and length encodings that the types share."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from sandbox.sql_server.results import SqlError, SqlType

PLP_NULL = b"\xff" * 8
PLP_CHUNK_BYTES = 64 * 1024
_MAX_INLINE_CHUNK = struct.Struct("<QI")
_PLP_END = b"\x00\x00\x00\x00"


@dataclass(frozen=True, slots=True)
class WireType:
    """A type on the wire: its TYPE_INFO, its NULL, and the encoding of values.

    `null` is None for fixed-length forms, which NOT NULL columns use and which have no NULL.
    """

    type_info: bytes
    null: bytes | None
    encode: Callable[[Any], bytes]
    is_large_object: bool = False
    user_type: int = 0

    def encode_or_null(self, value: Any) -> bytes:
        """Encode a value; None is NULL."""
        if value is not None:
            return self.encode(value)
        if self.null is None:
            raise SqlError(515, "A column that is described as NOT NULL holds a NULL.")
        return self.null


WireTypeFactory: TypeAlias = Callable[[SqlType, bool], WireType]
"""Makes the wire form of a type; the flag is whether the column is nullable."""


def byte_length(pack: Callable[[Any], bytes], size: int) -> Callable[[Any], bytes]:
    """Prefix values of one size with a one-byte length (BYTELEN_TYPE)."""
    prefix = bytes([size])
    return lambda value: prefix + pack(value)


def in_chunks(data: bytes) -> bytes:
    """Partially length-prefixed bytes: length, chunks, an empty chunk ([MS-TDS] 2.2.5.2.3)."""
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
    """B_VARCHAR: the number of UTF-16 code units in one byte, then the text."""
    data = text.encode("utf-16-le", "surrogatepass")
    return bytes([len(data) // 2]) + data


def long_text(text: str) -> bytes:
    """US_VARCHAR: the same with a two-byte length."""
    data = text.encode("utf-16-le", "surrogatepass")
    return struct.pack("<H", len(data) // 2) + data
