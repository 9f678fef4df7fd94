"""Decodes the values that clients send with an RPC to Python values.

The reverse of the type modules: [MS-TDS] 2.2.6.6 with 2.2.5.4 to 2.2.5.6. Times are truncated to
a microsecond, the precision of Python's types.
"""

from __future__ import annotations

import struct
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sandbox.sql_server.data_types.collations import COLLATIONS, DEFAULT_COLLATION
from sandbox.sql_server.data_types.time_types import DAYS_TO_1900
from sandbox.sql_server.transport.packets import ProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sandbox.sql_server.data_types.byte_reader import ByteReader

_MAX_MARK = 0xFFFF
_PLP_NULL = 0xFFFFFFFFFFFFFFFF
_UTF8_FLAG = 0x04000000
_EPOCH = datetime(1, 1, 1)  # noqa: DTZ001 - SQL Server's datetime has no zone


def read_value(reader: ByteReader) -> Any:
    """Read a value: its type, then its data; None for NULL.

    Raises:
        ProtocolError: the type is unknown, or not allowed for parameters.
    """
    token = reader.number(1)
    read = _READERS.get(token)
    if read is None:
        raise ProtocolError(f"a parameter of the type 0x{token:02x} is not supported")
    return read(reader)


def _signed(data: bytes) -> int:
    return int.from_bytes(data, "little", signed=True)


def _integer(data: bytes) -> int:
    return data[0] if len(data) == 1 else _signed(data)  # tinyint is unsigned


def _bit(data: bytes) -> bool:
    return data != b"\x00"


def _float(data: bytes) -> float:
    value: float = struct.unpack("<f" if len(data) == 4 else "<d", data)[0]
    return value


def _money(data: bytes) -> Decimal:
    units = _signed(data) if len(data) == 4 else _signed(data[4:] + data[:4])
    return Decimal(units).scaleb(-4)


def _datetime(data: bytes) -> datetime:
    if len(data) == 4:
        days, minutes = struct.unpack("<HH", data)
        return _EPOCH + timedelta(days=days + DAYS_TO_1900, minutes=minutes)
    days, increments = struct.unpack("<iI", data)
    milliseconds = (increments * 10 + 1) // 3
    return _EPOCH + timedelta(days=days + DAYS_TO_1900, milliseconds=milliseconds)


def _date(data: bytes) -> date:
    return date.fromordinal(int.from_bytes(data, "little") + 1)


def _time_of_day(data: bytes, scale: int) -> timedelta:
    return timedelta(microseconds=int.from_bytes(data, "little") * 10**6 // 10**scale)


def _time(data: bytes, scale: int) -> time:
    return (_EPOCH + _time_of_day(data, scale)).time()


def _datetime2(data: bytes, scale: int) -> datetime:
    return datetime.combine(_date(data[-3:]), _time(data[:-3], scale))


def _datetimeoffset(data: bytes, scale: int) -> datetime:
    zone = timezone(timedelta(minutes=_signed(data[-2:])))
    return _datetime2(data[:-2], scale).replace(tzinfo=UTC).astimezone(zone)


def _guid(data: bytes) -> UUID:
    return UUID(bytes_le=data)


def _fixed(size: int, convert: Callable[[bytes], Any]) -> Callable[[ByteReader], Any]:
    return lambda reader: convert(reader.take(size))


def _sized(convert: Callable[[bytes], Any]) -> Callable[[ByteReader], Any]:
    """A type with its size in TYPE_INFO and a length of one byte before the value."""

    def read(reader: ByteReader) -> Any:
        reader.take(1)
        data = reader.take(reader.number(1))
        return convert(data) if data else None

    return read


def _scaled(convert: Callable[[bytes, int], Any]) -> Callable[[ByteReader], Any]:
    def read(reader: ByteReader) -> Any:
        scale = reader.number(1)
        data = reader.take(reader.number(1))
        return convert(data, scale) if data else None

    return read


def _unscaled_date(reader: ByteReader) -> date | None:
    data = reader.take(reader.number(1))
    return _date(data) if data else None


def _decimal(reader: ByteReader) -> Decimal | None:
    _, _, scale = reader.take(3)
    data = reader.take(reader.number(1))
    if not data:
        return None
    units = int.from_bytes(data[1:], "little")
    # Built from digits: arithmetic would round to the default context's 28 digits.
    digits = tuple(int(digit) for digit in str(units))
    return Decimal((0 if data[0] else 1, digits, -scale))


def _chunked(reader: ByteReader) -> bytes | None:
    if reader.number(8) == _PLP_NULL:
        return None
    chunks = []
    while size := reader.number(4):
        chunks.append(reader.take(size))
    return b"".join(chunks)


def _varying(reader: ByteReader) -> bytes | None:
    """The data of a type with a two-byte length, whose TYPE_INFO has been read."""
    size = reader.number(2)
    return None if size == _MAX_MARK else reader.take(size)


def _ansi(data: bytes, collation: bytes) -> str:
    is_utf8 = int.from_bytes(collation[:4], "little") & _UTF8_FLAG
    return data.decode("utf-8" if is_utf8 else COLLATIONS[DEFAULT_COLLATION].code_page, "replace")


def _unicode(data: bytes, _: bytes = b"") -> str:
    return data.decode("utf-16-le", "surrogatepass")


def _text(convert: Callable[[bytes, bytes], str]) -> Callable[[ByteReader], Any]:
    def read(reader: ByteReader) -> Any:
        limit, collation = reader.number(2), reader.take(5)
        data = _chunked(reader) if limit == _MAX_MARK else _varying(reader)
        return None if data is None else convert(data, collation)

    return read


def _binary(reader: ByteReader) -> bytes | None:
    return _chunked(reader) if reader.number(2) == _MAX_MARK else _varying(reader)


def _large_text(convert: Callable[[bytes, bytes], str]) -> Callable[[ByteReader], Any]:
    def read(reader: ByteReader) -> Any:
        reader.take(4)
        collation = reader.take(5)
        data = _large_data(reader)
        return None if data is None else convert(data, collation)

    return read


def _large_data(reader: ByteReader) -> bytes | None:
    size = reader.number(4)
    return None if size == 0xFFFFFFFF else reader.take(size)


def _image(reader: ByteReader) -> bytes | None:
    reader.take(4)
    return _large_data(reader)


def _xml(reader: ByteReader) -> str | None:
    if reader.number(1):  # an XML schema: database, owner, collection
        reader.short_text(), reader.short_text(), reader.long_text()
    data = _chunked(reader)
    return None if data is None else _unicode(data).removeprefix("\ufeff")


_READERS: Mapping[int, Callable[[ByteReader], Any]] = {
    0x1F: lambda _: None,
    0x30: _fixed(1, _integer),
    0x34: _fixed(2, _integer),
    0x38: _fixed(4, _integer),
    0x7F: _fixed(8, _integer),
    0x32: _fixed(1, _bit),
    0x3B: _fixed(4, _float),
    0x3E: _fixed(8, _float),
    0x7A: _fixed(4, _money),
    0x3C: _fixed(8, _money),
    0x3A: _fixed(4, _datetime),
    0x3D: _fixed(8, _datetime),
    0x26: _sized(_integer),
    0x68: _sized(_bit),
    0x6D: _sized(_float),
    0x6E: _sized(_money),
    0x6F: _sized(_datetime),
    0x24: _sized(_guid),
    0x6A: _decimal,
    0x6C: _decimal,
    0x28: _unscaled_date,
    0x29: _scaled(_time),
    0x2A: _scaled(_datetime2),
    0x2B: _scaled(_datetimeoffset),
    0xA7: _text(_ansi),
    0xAF: _text(_ansi),
    0xE7: _text(_unicode),
    0xEF: _text(_unicode),
    0xA5: _binary,
    0xAD: _binary,
    0x23: _large_text(_ansi),
    0x63: _large_text(_unicode),
    0x22: _image,
    0xF1: _xml,
}
