"""Dates and times on the wire: [MS-TDS] 2.2.5.5.1.8 and 2.2.5.5.1.9.

Internally, times are 100 ns ticks since 0001-01-01, SQL Server's finest resolution.
"""

from __future__ import annotations

import struct
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING

from sandbox.sql_server.data_types.wire_type import WireType, byte_length
from sandbox.sql_server.results import SqlError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.sql_server.data_types.wire_type import WireTypeFactory
    from sandbox.sql_server.results import SqlType

DATEN, TIMEN, DATETIME2N, DATETIMEOFFSETN, DATETIMN = 0x28, 0x29, 0x2A, 0x2B, 0x6F
TICKS_PER_SECOND = 10_000_000
TICKS_PER_DAY = 86_400 * TICKS_PER_SECOND
DAYS_TO_1900 = date(1900, 1, 1).toordinal() - 1
_TICKS_PER_MINUTE = 60 * TICKS_PER_SECOND
_INCREMENTS_PER_SECOND = 300
_MAX_DAYS = date(9999, 12, 31).toordinal() - 1
_MICROSECOND = timedelta(microseconds=1)


def ticks_of_time(value: time | int) -> int:
    """100 ns ticks since midnight."""
    if isinstance(value, int):
        return value
    seconds = (value.hour * 60 + value.minute) * 60 + value.second
    return seconds * TICKS_PER_SECOND + value.microsecond * 10


def ticks_of_datetime(value: datetime | int) -> int:
    """100 ns ticks since 0001-01-01, by the value's wall clock."""
    if isinstance(value, int):
        return value
    days = value.toordinal() - 1
    return days * TICKS_PER_DAY + ticks_of_time(value.time())


def _rounded(ticks: int, scale: int) -> int:
    """Round ticks to `scale` digits of a second, still in 100 ns."""
    unit: int = 10 ** (7 - scale)
    return (ticks + unit // 2) // unit * unit


def time_size(scale: int) -> int:
    """Bytes of a time of day with this scale."""
    return 3 if scale <= 2 else 4 if scale <= 4 else 5


def pack_time(ticks: int, scale: int) -> bytes:
    """A time of day in units of 10**-scale seconds; rounding stops before midnight."""
    last = TICKS_PER_DAY - int(10 ** (7 - scale))
    ticks = min(_rounded(ticks, scale), last)
    return int(ticks // 10 ** (7 - scale)).to_bytes(time_size(scale), "little")


def pack_days(days: int) -> bytes:
    """A date: days since 0001-01-01."""
    if not 0 <= days <= _MAX_DAYS:
        raise SqlError(517, "Adding a value to a date column caused an overflow.")
    return days.to_bytes(3, "little")


def pack_date(value: date) -> bytes:
    """A date as TDS writes it."""
    return pack_days(value.toordinal() - 1)


def pack_datetime2(value: datetime | int, scale: int) -> bytes:
    """Time, then date; rounding may carry into the next day."""
    days, ticks = divmod(_rounded(ticks_of_datetime(value), scale), TICKS_PER_DAY)
    return pack_time(ticks, scale) + pack_days(days)


def pack_datetimeoffset(value: datetime, scale: int) -> bytes:
    """Time and date in UTC, then the offset in minutes."""
    offset = value.utcoffset() or timedelta()
    utc = ticks_of_datetime(value) - offset // _MICROSECOND * 10
    minutes = offset // timedelta(minutes=1)
    return pack_datetime2(utc, scale) + struct.pack("<h", minutes)


def pack_datetime(value: datetime) -> bytes:
    """Days since 1900 and 1/300 s of the day, rounded to nearest."""
    days, ticks = divmod(ticks_of_datetime(value), TICKS_PER_DAY)
    increments = (2 * ticks * _INCREMENTS_PER_SECOND + TICKS_PER_SECOND) // (2 * TICKS_PER_SECOND)
    carry, increments = divmod(increments, 86_400 * _INCREMENTS_PER_SECOND)
    return struct.pack("<iI", days + carry - DAYS_TO_1900, increments)


def _pack_smalldatetime(value: datetime) -> bytes:
    days, ticks = divmod(ticks_of_datetime(value), TICKS_PER_DAY)
    carry, minutes = divmod((ticks + _TICKS_PER_MINUTE // 2) // _TICKS_PER_MINUTE, 1440)
    return struct.pack("<HH", days + carry - DAYS_TO_1900, minutes)


def _time(sql_type: SqlType, _: bool) -> WireType:
    scale = sql_type.scale
    return WireType(
        bytes([TIMEN, scale]),
        b"\x00",
        byte_length(lambda value: pack_time(ticks_of_time(value), scale), time_size(scale)),
    )


def _datetime2(sql_type: SqlType, _: bool) -> WireType:
    scale = sql_type.scale
    return WireType(
        bytes([DATETIME2N, scale]),
        b"\x00",
        byte_length(lambda value: pack_datetime2(value, scale), time_size(scale) + 3),
    )


def _datetimeoffset(sql_type: SqlType, _: bool) -> WireType:
    scale = sql_type.scale
    return WireType(
        bytes([DATETIMEOFFSETN, scale]),
        b"\x00",
        byte_length(lambda value: pack_datetimeoffset(value, scale), time_size(scale) + 5),
    )


def _datetime(_: SqlType, nullable: bool) -> WireType:
    if nullable:
        return WireType(bytes([DATETIMN, 8]), b"\x00", byte_length(pack_datetime, 8))
    return WireType(b"\x3d", None, pack_datetime)


def _smalldatetime(_: SqlType, nullable: bool) -> WireType:
    if nullable:
        return WireType(bytes([DATETIMN, 4]), b"\x00", byte_length(_pack_smalldatetime, 4))
    return WireType(b"\x3a", None, _pack_smalldatetime)


_DATE_FORM = WireType(bytes([DATEN]), b"\x00", byte_length(pack_date, 3))

FACTORIES: Mapping[str, WireTypeFactory] = {
    "date": lambda _, __: _DATE_FORM,
    "time": _time,
    "datetime": _datetime,
    "smalldatetime": _smalldatetime,
    "datetime2": _datetime2,
    "datetimeoffset": _datetimeoffset,
}
