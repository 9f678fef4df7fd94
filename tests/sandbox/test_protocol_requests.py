from __future__ import annotations

import struct
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from sandbox.sql_server.data_types.byte_reader import ByteReader
from sandbox.sql_server.data_types.parameter_values import read_value
from sandbox.sql_server.data_types.registry import wire_type
from sandbox.sql_server.requests.parser import (
    TransactionAction,
    TransactionRequest,
    parse_batch,
    parse_rpc,
    parse_transaction,
)
from sandbox.sql_server.results import SqlType
from sandbox.sql_server.transport.packets import ProtocolError
from tests.sandbox import recorded

_QUERY = "select id, fname from users where id < @P1 and fname like @P2"


@pytest.mark.parametrize(
    ("name", "declared"),
    [
        ("odbc18-parameters", "@P1 int,@P2 nvarchar(6)"),
        ("mssql_python-parameters", "@P1 tinyint,@P2 varchar(3)"),
    ],
)
def test_prepared_execution_is_read(name: str, declared: str) -> None:
    """sp_prepexec by number: an output handle, declarations, the query, the values."""
    (call,) = parse_rpc(recorded.requests(name, "RPC")[0])
    handle, *rest = call.parameters
    assert call.name == "sp_prepexec"
    assert handle.is_output
    assert [parameter.value for parameter in rest] == [declared, _QUERY, 3, "Zo%"]


def test_batches_are_read() -> None:
    """The text of a batch begins after ALL_HEADERS."""
    texts = [parse_batch(payload) for payload in recorded.requests("odbc18-errors", "SQL_BATCH")]
    assert texts[0] == "select 1/0 as x"
    assert texts[-1] == "RAISERROR('boom',16,1)"


def test_transaction_requests_are_read() -> None:
    """Begin, roll back and begin another, commit and begin another."""
    requests = recorded.requests("odbc18-transaction", "TRANSACTION_MANAGER")
    assert [parse_transaction(payload) for payload in requests] == [
        TransactionRequest(TransactionAction.BEGIN),
        TransactionRequest(TransactionAction.ROLLBACK, begins_another=True),
        TransactionRequest(TransactionAction.COMMIT, begins_another=True),
    ]


def test_several_calls_in_one_message_are_read() -> None:
    """Drivers batch calls of a prepared statement, with 0xFF between them."""
    payload = recorded.requests("odbc18-parameters", "RPC")[1]
    headers, call = payload[:22], payload[22:]
    assert [c.name for c in parse_rpc(headers + call + b"\xff" + call)] == ["sp_unprepare"] * 2


@pytest.mark.parametrize("cut", [23, 30, 60, 200, 279])
def test_truncated_request_is_rejected(cut: int) -> None:
    """A request that ends within a value is a protocol error."""
    payload = recorded.requests("odbc18-parameters", "RPC")[0]
    with pytest.raises(ProtocolError):
        parse_rpc(payload[:cut])


_ZONE = timezone(timedelta(hours=5, minutes=30))
_VALUES: list[tuple[SqlType, Any]] = [
    (SqlType("tinyint"), 255),
    (SqlType("smallint"), -32768),
    (SqlType("int"), -(2**31)),
    (SqlType("bigint"), 2**63 - 1),
    (SqlType("bit"), True),
    (
        SqlType("decimal", precision=38, scale=10),
        Decimal("-1234567890123456789012345678.0123456789"),
    ),
    (SqlType("money"), Decimal("-922337203685477.5808")),
    (SqlType("smallmoney"), Decimal("-0.0001")),
    (SqlType("float"), -1.5e300),
    (SqlType("real"), 0.5),
    (SqlType("date"), date(9999, 12, 31)),
    (SqlType("time", scale=6), time(23, 59, 59, 999999)),
    (SqlType("datetime"), datetime(2026, 1, 2, 3, 4, 5, 997000)),
    (SqlType("smalldatetime"), datetime(2079, 6, 6, 23, 59)),
    (SqlType("datetime2", scale=7), datetime(1, 1, 1, 0, 0, 0, 1)),
    (SqlType("datetimeoffset", scale=7), datetime(2026, 1, 2, 3, 4, 5, 123456, _ZONE)),
    (SqlType("char", 5), "ab   "),
    (SqlType("varchar", 10), "Zoë €"),
    (SqlType("varchar", None), "x" * 200_000),
    (SqlType("nvarchar", 10), "Zoë 😀"),
    (SqlType("nvarchar", None), "lone \ud800"),
    (SqlType("xml"), "<a>é</a>"),
    (SqlType("varbinary", 10), b""),
    (SqlType("varbinary", None), b"\x00\xff"),
    (SqlType("uniqueidentifier"), UUID("01473d9d-0cac-44e2-b2ad-09c593e342dc")),
]


@pytest.mark.parametrize(("sql_type", "value"), _VALUES, ids=lambda v: getattr(v, "name", ""))
@pytest.mark.parametrize("nullable", [True, False], ids=["nullable", "not null"])
def test_parameters_are_what_was_encoded(sql_type: SqlType, value: Any, nullable: bool) -> None:
    """A value encoded as a column is decoded as a parameter of the same type."""
    wire = wire_type(sql_type, nullable=nullable)
    assert read_value(ByteReader(wire.type_info + wire.encode(value))) == value
    if wire.null is not None:
        assert read_value(ByteReader(wire.type_info + wire.null)) is None


def test_unknown_parameter_type_is_named() -> None:
    """A table-valued parameter is rejected by its type byte."""
    with pytest.raises(ProtocolError, match="0xf3"):
        read_value(ByteReader(b"\xf3"))


def test_offsets_are_kept() -> None:
    """A datetimeoffset is sent in UTC and decoded to its own offset."""
    value = datetime(2026, 1, 2, 3, 4, 5, tzinfo=_ZONE)
    wire = wire_type(SqlType("datetimeoffset", scale=0))
    data = wire.encode(value)
    seconds = int.from_bytes(data[1:4], "little")
    assert seconds == (value.astimezone(UTC).hour * 60 + 34) * 60 + 5
    assert struct.unpack("<h", data[-2:]) == (330,)
