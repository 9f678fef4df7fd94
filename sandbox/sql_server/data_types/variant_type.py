"""sql_variant on the wire: a value with its own type ([MS-TDS] 2.2.5.5.4)."""

from __future__ import annotations

import struct
from datetime import date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sandbox.sql_server.data_types import number_types, text_types, time_types
from sandbox.sql_server.data_types.collations import COLLATIONS, DEFAULT_COLLATION
from sandbox.sql_server.data_types.wire_type import WireType

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sandbox.sql_server.data_types.wire_type import WireTypeFactory

SSVARIANT = 0x62
_MAX_BYTES = 8009
_SCALE = 7
_INT_RANGE = range(-(2**31), 2**31)


def _integer(value: int) -> tuple[int, bytes, bytes]:
    if value in _INT_RANGE:
        return 0x38, b"", struct.pack("<i", value)
    return 0x7F, b"", struct.pack("<q", value)


def _decimal(value: Decimal) -> tuple[int, bytes, bytes]:
    exponent = value.as_tuple().exponent
    scale = max(-exponent, 0) if isinstance(exponent, int) else 0
    precision = number_types.MAX_PRECISION
    data = number_types.pack_decimal(value, precision=precision, scale=scale)
    return number_types.NUMERICN, bytes([precision, scale]), data


def _instant(value: datetime) -> tuple[int, bytes, bytes]:
    if value.tzinfo is None:
        data = time_types.pack_datetime2(value, _SCALE)
        return time_types.DATETIME2N, bytes([_SCALE]), data
    data = time_types.pack_datetimeoffset(value, _SCALE)
    return time_types.DATETIMEOFFSETN, bytes([_SCALE]), data


def _time(value: time) -> tuple[int, bytes, bytes]:
    data = time_types.pack_time(time_types.ticks_of_time(value), _SCALE)
    return time_types.TIMEN, bytes([_SCALE]), data


def _text(value: str) -> tuple[int, bytes, bytes]:
    data = text_types.encode_unicode(value)
    return text_types.NVARCHAR, COLLATIONS[DEFAULT_COLLATION].wire + struct.pack("<H", 8000), data


# bool before int and datetime before date, because they are subclasses.
_FORMS: tuple[tuple[type, Callable[[Any], tuple[int, bytes, bytes]]], ...] = (
    (bool, lambda value: (0x32, b"", bytes([value]))),
    (int, _integer),
    (Decimal, _decimal),
    (float, lambda value: (0x3E, b"", struct.pack("<d", value))),
    (datetime, _instant),
    (date, lambda value: (time_types.DATEN, b"", time_types.pack_date(value))),
    (time, _time),
    (str, _text),
    (bytes, lambda value: (text_types.BIGVARBINARY, struct.pack("<H", 8000), value)),
    (UUID, lambda value: (number_types.GUID, b"", value.bytes_le)),
)


def pack_variant(value: Any) -> bytes:
    """Total length, base type, length of properties, properties, value."""
    for python_type, describe in _FORMS:
        if isinstance(value, python_type):
            base_type, properties, data = describe(value)
            body = bytes([base_type, len(properties)]) + properties + data
            return struct.pack("<I", len(body)) + body
    raise TypeError(f"sql_variant cannot hold a {type(value).__name__}")


_FORM = WireType(struct.pack("<BI", SSVARIANT, _MAX_BYTES), b"\x00\x00\x00\x00", pack_variant)

FACTORIES: Mapping[str, WireTypeFactory] = {"sql_variant": lambda _, __: _FORM}
