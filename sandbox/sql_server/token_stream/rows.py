"""Columns and rows as tokens: COLMETADATA, ROW and NBCROW ([MS-TDS] 2.2.7.4, .13 and .19)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from sandbox.sql_server.data_types.registry import column_wire_type, wire_type
from sandbox.sql_server.data_types.wire_type import short_text
from sandbox.sql_server.token_stream.tokens import Token

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sandbox.sql_server.data_types.wire_type import WireType
    from sandbox.sql_server.results import Column, SqlType

_NULLABLE = 0x01
_UPDATABLE_UNKNOWN = 0x08
_IDENTITY = 0x10
_UNNAMED_TABLE = b"\x01\x00\x00"  # one part, which is empty
_ROW = bytes([Token.ROW])
_NULL_BITMAP_ROW = bytes([Token.NULL_BITMAP_ROW])


def column_metadata(columns: Sequence[Column]) -> bytes:
    """COLMETADATA of these columns."""
    described = b"".join(_describe(column) for column in columns)
    return struct.pack("<BH", Token.COLUMN_METADATA, len(columns)) + described


def _describe(column: Column) -> bytes:
    wire = column_wire_type(column)
    flags = _UPDATABLE_UNKNOWN
    flags |= _NULLABLE if column.nullable else 0
    flags |= _IDENTITY if column.identity else 0
    table = _UNNAMED_TABLE if wire.is_large_object else b""
    return (
        struct.pack("<IH", wire.user_type, flags) + wire.type_info + table + short_text(column.name)
    )


def row_encoder(columns: Sequence[Column]) -> Callable[[Sequence[Any]], bytes]:
    """A function that encodes rows: as ROW, or as NBCROW where that is shorter."""
    wires = [column_wire_type(column) for column in columns]
    encoders = [wire.encode for wire in wires]

    def encode(row: Sequence[Any]) -> bytes:
        if None in row:
            return _encode_with_nulls(wires, row)
        return _ROW + b"".join([pack(value) for pack, value in zip(encoders, row, strict=True)])

    return encode


def _encode_with_nulls(wires: Sequence[WireType], row: Sequence[Any]) -> bytes:
    bitmap_bytes = (len(wires) + 7) // 8
    if _null_bytes(wires, row) <= bitmap_bytes:
        values = [w.encode_or_null(value) for w, value in zip(wires, row, strict=True)]
        return _ROW + b"".join(values)
    bits = sum(1 << index for index, value in enumerate(row) if value is None)
    values = [w.encode(value) for w, value in zip(wires, row, strict=True) if value is not None]
    return _NULL_BITMAP_ROW + bits.to_bytes(bitmap_bytes, "little") + b"".join(values)


def _null_bytes(wires: Sequence[WireType], row: Sequence[Any]) -> int:
    """Bytes that the NULLs of a row take in a ROW token."""
    return sum(
        len(wire.encode_or_null(None))
        for wire, value in zip(wires, row, strict=True)
        if value is None
    )


def return_value(ordinal: int, name: str, sql_type: SqlType, value: object) -> bytes:
    """RETURNVALUE of an output parameter: [MS-TDS] 2.2.7.18."""
    wire = wire_type(sql_type)
    return (
        struct.pack("<BH", Token.RETURN_VALUE, ordinal)
        + short_text(name)
        + struct.pack("<BIH", 0x01, wire.user_type, _NULLABLE | _UPDATABLE_UNKNOWN)
        + wire.type_info
        + wire.encode_or_null(value)
    )
