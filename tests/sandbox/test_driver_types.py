from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pyarrow as pa
import pytest

from tests.sandbox import drivers, type_cases
from tests.sandbox.separate_server import SeparateServer, separate_server
from tests.sandbox.type_cases import CASES, VARIANTS, Case

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_OFFSET_TYPE, _VARIANT_TYPE, _CLR_TYPE = -155, -150, -151
_LONG = 10_000


def _offset_of_bytes(data: bytes) -> datetime:
    """SQL_SS_TIMESTAMPOFFSET_STRUCT, which pyodbc returns as bytes."""
    year, month, day, hour, minute, second, nanoseconds, *offset = struct.unpack("<6hI2h", data)
    zone = timezone(timedelta(hours=offset[0], minutes=offset[1]))
    return datetime(year, month, day, hour, minute, second, nanoseconds // 1000, zone)


def _connect_pyodbc(connect: drivers.Connect) -> drivers.Connect:
    def connected(server: Any) -> Any:
        connection = connect(server)
        connection.add_output_converter(_OFFSET_TYPE, _offset_of_bytes)
        connection.add_output_converter(_CLR_TYPE, bytes)
        return connection

    return connected


def _read_rows(cursor: Any, sql: str) -> list[list[Any]]:
    return [list(row) for row in cursor.execute(sql).fetchall()]


def _read_arrow(cursor: Any, sql: str) -> list[list[Any]]:
    columns = [_microseconds(column) for column in cursor.execute(sql).arrow().columns]
    return [list(row) for row in zip(*columns, strict=True)]


def _microseconds(column: pa.ChunkedArray) -> list[Any]:
    """Arrow keeps the nanoseconds of a time, for which Python's types have no room."""
    if column.type == pa.time64("ns"):
        column = column.cast(pa.time64("us"), safe=False)
    return list(column.to_pylist())


def _same(value: Any) -> Any:
    return value


def _guid_as_text(value: Any) -> Any:
    return str(value).upper() if isinstance(value, UUID) else value


def _guid_as_text_and_utc(value: Any) -> Any:
    is_aware = isinstance(value, datetime) and value.tzinfo is not None
    return value.astimezone(UTC) if is_aware else _guid_as_text(value)


@dataclass(frozen=True)
class _Reader:
    """A way to read, and how it returns the expected values."""

    connect: drivers.Connect
    read: Callable[[Any, str], list[list[Any]]]
    expected: Callable[[Any], Any]


_READERS = {
    "odbc18": _Reader(_connect_pyodbc(drivers.odbc18), _read_rows, _guid_as_text),
    "mssql_python": _Reader(drivers.mssql, _read_rows, _same),
    "arrow": _Reader(drivers.mssql, _read_arrow, _guid_as_text_and_utc),
    "freetds": _Reader(_connect_pyodbc(drivers.freetds), _read_rows, _guid_as_text),
}


@pytest.fixture(scope="module")
def server() -> Iterator[SeparateServer]:
    """A server that knows all cases."""
    with separate_server("tests.sandbox.type_cases:engine") as running:
        yield running


@pytest.fixture(scope="module", params=_READERS)
def reader(request: pytest.FixtureRequest) -> _Reader:
    """Each way to read."""
    return _READERS[request.param]


@pytest.fixture(scope="module")
def connection(server: SeparateServer, reader: _Reader) -> Iterator[Any]:
    """One connection for all cases of a reader."""
    connected = reader.connect(server)
    yield connected
    connected.close()


def _form(value: Any) -> Any:
    """What must be equal: type, value, digits and offset; long values abbreviated."""
    if isinstance(value, str | bytes) and len(value) > _LONG:
        return type(value), len(value), hash(value)
    return type(value), value, str(value)


def _forms(rows: list[list[Any]]) -> list[list[Any]]:
    return [[_form(value) for value in row] for row in rows]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_value_arrives(connection: Any, reader: _Reader, case: Case) -> None:
    """Each driver reads the value that the engine returned; the next row is NULL."""
    with connection.cursor() as cursor:
        rows = reader.read(cursor, case.name)
    assert _forms(rows) == _forms([[reader.expected(case.expected)], [None]])


def test_nulls_among_all_types_arrive(connection: Any, reader: _Reader) -> None:
    """Rows with a column of every type arrive, however many values are NULL."""
    with connection.cursor() as cursor:
        rows = reader.read(cursor, "nullable")
    expected = type_cases.mixed_rows(lambda case: reader.expected(case.expected))
    assert _forms(rows) == _forms(expected)


def test_columns_without_nulls_arrive(connection: Any, reader: _Reader) -> None:
    """The shorter forms of NOT NULL columns are read as well."""
    with connection.cursor() as cursor:
        rows = reader.read(cursor, "not null")
    full = type_cases.mixed_rows(lambda case: reader.expected(case.expected))[0]
    assert _forms(rows) == _forms([full, full])


@pytest.mark.parametrize("case", VARIANTS, ids=lambda case: case.name)
def test_variant_arrives_with_its_own_type(server: SeparateServer, case: Case) -> None:
    """A sql_variant is read as its base type."""
    with drivers.mssql(server) as connection, connection.cursor() as cursor:
        assert _forms(_read_rows(cursor, case.name)) == _forms([[case.expected], [None]])


@pytest.mark.parametrize(
    ("name", "data"), [("int", b"\xfb\xff\xff\xff"), ("float", b"\0\0\0\0\0\0\xf8?")]
)
@pytest.mark.parametrize("connect", [drivers.odbc18, drivers.freetds])
def test_variant_through_a_converter_is_bytes(
    server: SeparateServer, connect: drivers.Connect, name: str, data: bytes
) -> None:
    """With a converter pyodbc returns the bytes, without their type."""
    connection = connect(server)
    connection.add_output_converter(_VARIANT_TYPE, bytes)
    with connection.cursor() as cursor:
        assert _read_rows(cursor, f"sql_variant {name}") == [[data], [None]]
    connection.close()


def test_variant_is_refused_by_arrow(server: SeparateServer) -> None:
    """mssql-python has no Arrow type for sql_variant, and names the column in its error."""
    with drivers.mssql(server) as connection, connection.cursor() as cursor:
        cursor.execute("sql_variant int")
        with pytest.raises(RuntimeError, match=r"Unsupported data type .* column - v"):
            cursor.arrow()
