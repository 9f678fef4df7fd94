"""Numbers, bit and uniqueidentifier on the wire: [MS-TDS] 2.2.5.5.1."""

from __future__ import annotations

import struct
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import TYPE_CHECKING, Any

from sandbox.sql_server.data_types.wire_type import WireType, byte_length
from sandbox.sql_server.results import SqlError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from uuid import UUID

    from sandbox.sql_server.data_types.wire_type import WireTypeFactory
    from sandbox.sql_server.results import SqlType

INTN, BITN, DECIMALN, NUMERICN, FLTN, MONEYN, GUID = 0x26, 0x68, 0x6A, 0x6C, 0x6D, 0x6E, 0x24
_MONEY_SCALE = 4
MAX_PRECISION = 38


def _number(form: int, fixed: int, pack: Callable[[Any], bytes], size: int) -> WireTypeFactory:
    """A type with a nullable form, with lengths, and a fixed form for NOT NULL columns."""
    nullable_form = WireType(bytes([form, size]), b"\x00", byte_length(pack, size))
    fixed_form = WireType(bytes([fixed]), None, pack)
    return lambda _, nullable: nullable_form if nullable else fixed_form


def scaled_integer(value: Decimal, scale: int) -> int:
    """The value in units of 10**-scale, rounded half away from zero like SQL Server."""
    with localcontext() as context:
        context.prec = 2 * MAX_PRECISION
        return int(Decimal(value).scaleb(scale).to_integral_value(ROUND_HALF_UP))


def decimal_size(precision: int) -> int:
    """Bytes of a decimal value, with its sign: [MS-TDS] 2.2.5.5.1.6."""
    for digits, size in ((9, 5), (19, 9), (28, 13)):
        if precision <= digits:
            return size
    return 17


def pack_decimal(value: Decimal, *, precision: int, scale: int) -> bytes:
    """The sign (1 for non-negative), then the magnitude in units of 10**-scale."""
    units = scaled_integer(value, scale)
    if abs(units) >= 10**precision:
        raise SqlError(8115, "Arithmetic overflow error converting numeric to data type numeric.")
    sign = b"\x00" if units < 0 else b"\x01"
    return sign + abs(units).to_bytes(decimal_size(precision) - 1, "little")


def _decimal(sql_type: SqlType, nullable: bool) -> WireType:
    del nullable
    precision, scale = sql_type.precision, sql_type.scale
    size = decimal_size(precision)
    form = DECIMALN if sql_type.name.lower() == "decimal" else NUMERICN
    return WireType(
        bytes([form, size, precision, scale]),
        b"\x00",
        byte_length(lambda value: pack_decimal(value, precision=precision, scale=scale), size),
    )


def _pack_money(value: Decimal) -> bytes:
    units = scaled_integer(value, _MONEY_SCALE)
    return struct.pack("<iI", units >> 32, units & 0xFFFFFFFF)  # the high half comes first


def _pack_smallmoney(value: Decimal) -> bytes:
    return struct.pack("<i", scaled_integer(value, _MONEY_SCALE))


def _pack_bit(value: object) -> bytes:
    return b"\x01" if value else b"\x00"


def _pack_guid(value: UUID) -> bytes:
    return value.bytes_le


_GUID_FORM = WireType(bytes([GUID, 16]), b"\x00", byte_length(_pack_guid, 16))

FACTORIES: Mapping[str, WireTypeFactory] = {
    "tinyint": _number(INTN, 0x30, struct.Struct("<B").pack, 1),
    "smallint": _number(INTN, 0x34, struct.Struct("<h").pack, 2),
    "int": _number(INTN, 0x38, struct.Struct("<i").pack, 4),
    "bigint": _number(INTN, 0x7F, struct.Struct("<q").pack, 8),
    "bit": _number(BITN, 0x32, _pack_bit, 1),
    "real": _number(FLTN, 0x3B, struct.Struct("<f").pack, 4),
    "float": _number(FLTN, 0x3E, struct.Struct("<d").pack, 8),
    "smallmoney": _number(MONEYN, 0x7A, _pack_smallmoney, 4),
    "money": _number(MONEYN, 0x3C, _pack_money, 8),
    "decimal": _decimal,
    "numeric": _decimal,
    "uniqueidentifier": lambda _, __: _GUID_FORM,
}
