from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from sandbox.sql_server.data_types.time_types import TICKS_PER_SECOND, ticks_of_datetime
from sandbox.sql_server.results import Column, SqlError, SqlType
from sandbox.sql_server.token_stream import tokens
from sandbox.sql_server.token_stream.rows import column_metadata, return_value, row_encoder
from sandbox.sql_server.token_stream.tokens import Done, Token
from tests.sandbox import recorded

_COLUMNS = [
    Column("i", SqlType("int")),
    Column("bi", SqlType("bigint")),
    Column("si", SqlType("smallint")),
    Column("ti", SqlType("tinyint")),
    Column("b", SqlType("bit")),
    Column("d", SqlType("numeric", precision=38, scale=10)),
    Column("m", SqlType("money")),
    Column("sm", SqlType("smallmoney")),
    Column("f", SqlType("float")),
    Column("r", SqlType("real")),
    Column("dt", SqlType("datetime")),
    Column("dt2", SqlType("datetime2", scale=7)),
    Column("sdt", SqlType("smalldatetime")),
    Column("da", SqlType("date")),
    Column("tm", SqlType("time", scale=7)),
    Column("dto", SqlType("datetimeoffset", scale=7)),
    Column("ch", SqlType("char", 10)),
    Column("vc", SqlType("varchar", 50)),
    Column("nv", SqlType("nvarchar", 50)),
    Column("bn", SqlType("binary", 4)),
    Column("u", SqlType("uniqueidentifier")),
]
_FULL = (
    *(1, 2**63 - 1, -32768, 255, True, Decimal("1234567890123456789012345678.0123456789")),
    *(Decimal("922337203685477.5807"), Decimal("1.5"), 1e308, 3.4e38),
    datetime(2026, 1, 2, 3, 4, 5, 997000),
    datetime(2026, 1, 2, 3, 4, 5, 123457),
    datetime(2026, 1, 2, 3, 4, 5),
    date(2026, 1, 2),
    (3 * 3600 + 4 * 60 + 5) * TICKS_PER_SECOND + 1234570,
    datetime(2026, 1, 2, 3, 4, 5, 123457, timezone(timedelta(hours=5, minutes=30))),
    *("ab        ", "cd", "Zoë😀", bytes([1, 2, 3, 4])),
    UUID("01473d9d-0cac-44e2-b2ad-09c593e342dc"),
)


@pytest.mark.parametrize("name", ["mssql_python-types", "freetds-types"])
def test_every_simple_type_has_the_recorded_bytes(name: str) -> None:
    """Columns, a full row (ROW), a row of NULLs (NBCROW) and DONE are as recorded."""
    encode = row_encoder(_COLUMNS)
    rows = encode(_FULL) + encode([None] * len(_COLUMNS))
    end = tokens.done(Token.DONE, Done.FINAL, command=tokens.COMMAND_SELECT, count=2)
    assert column_metadata(_COLUMNS) + rows + end == recorded.response_to(name, "SQL_BATCH")


def test_max_types_have_the_recorded_bytes() -> None:
    """(max) types and xml are sent in chunks, their NULLs omitted by NBCROW, as recorded."""
    columns = [
        Column("n", SqlType("int")),
        Column("vcm", SqlType("varchar", None)),
        Column("nul", SqlType("nvarchar", None)),
        Column("nvm", SqlType("nvarchar", None)),
        Column("vb", SqlType("varbinary", 4)),
        Column("x", SqlType("xml")),
    ]
    row = row_encoder(columns)([1, "x" * 9000, None, "é", b"\xde\xad\xbe\xef", "<a>1</a>"])
    end = tokens.done(Token.DONE, Done.FINAL, command=tokens.COMMAND_SELECT, count=1)
    theirs = recorded.response_to("mssql_python-max-columns", "SQL_BATCH")
    assert column_metadata(columns) + row + end == theirs


def test_procedure_response_has_the_recorded_bytes() -> None:
    """Rows, DONEINPROC, RETURNSTATUS, the handle as RETURNVALUE and DONEPROC, as recorded."""
    columns = [Column("id", SqlType("int")), Column("fname", SqlType("nvarchar", 50))]
    encode = row_encoder(columns)
    status = Done.MORE
    ours = b"".join(
        (
            column_metadata(columns),
            *(encode([number, f"Zoë{number}"]) for number in range(3)),
            tokens.done(Token.DONE_IN_PROCEDURE, status, command=tokens.COMMAND_SELECT, count=3),
            tokens.return_status(),
            return_value(0, "", SqlType("int"), 1),
            tokens.done(Token.DONE_PROCEDURE, Done.FINAL, command=tokens.COMMAND_EXECUTE),
        )
    )
    theirs = recorded.conversation("odbc18-parameters")
    assert ours == next(m.payload for m in theirs if m.payload[:1] == b"\x81")


def test_null_in_a_column_declared_not_null_is_an_error() -> None:
    """A fixed-length form has no NULL, so a wrong declaration is an error, not corrupt data."""
    encode = row_encoder([Column("n", SqlType("int"), nullable=False)])
    with pytest.raises(SqlError) as caught:
        encode([None])
    assert caught.value.number == 515


@pytest.mark.parametrize(
    ("nulls", "token"),
    [(0, Token.ROW), (1, Token.ROW), (2, Token.NULL_BITMAP_ROW), (5, Token.NULL_BITMAP_ROW)],
)
def test_null_bitmap_is_used_where_it_is_shorter(nulls: int, token: Token) -> None:
    """One byte of bitmap pays from the second one-byte NULL on."""
    columns = [Column(f"c{index}", SqlType("int")) for index in range(5)]
    row = [None] * nulls + [7] * (5 - nulls)
    encoded = row_encoder(columns)(row)
    assert encoded[0] == token
    assert len(encoded) == 1 + min(nulls, 1 if nulls > 1 else nulls) + 5 * (5 - nulls)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("datetime", datetime(2026, 1, 1, 23, 59, 59, 999000), datetime(2026, 1, 2)),
        ("smalldatetime", datetime(2026, 1, 1, 0, 0, 30), datetime(2026, 1, 1, 0, 1)),
        ("datetime2", datetime(2025, 12, 31, 23, 59, 59, 999999), datetime(2026, 1, 1)),
    ],
)
def test_rounding_carries_into_the_next_unit(name: str, value: datetime, expected: Any) -> None:
    """A time is rounded to its type's resolution, past midnight if necessary."""
    encode = row_encoder([Column("t", SqlType(name, scale=3 if name == "datetime2" else 0))])
    assert encode([value]) == encode([expected])


def test_ticks_keep_100_nanoseconds() -> None:
    """A datetime2 given as ticks keeps the digit for which datetime has no room."""
    encode = row_encoder([Column("t", SqlType("datetime2", scale=7))])
    ticks = ticks_of_datetime(datetime(2026, 1, 2))
    assert encode([ticks + 1]) != encode([ticks])


def test_too_long_value_is_an_error() -> None:
    """A value longer than its column is rejected, because it would overflow drivers' buffers."""
    encode = row_encoder([Column("t", SqlType("nvarchar", 2))])
    with pytest.raises(SqlError, match="truncated"):
        encode(["abc"])
