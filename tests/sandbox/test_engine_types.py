"""Every SQL Server type: stored values, types of expressions, descriptions of queries."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from sandbox.sql_server.engine import DuckDBEngine
from sandbox.sql_server.results import SqlType
from tests.sandbox.engine_batches import PASSWORD, error, row, rows, types

if TYPE_CHECKING:
    from sandbox.sql_server.results import EngineSession

_TICKS = 639_029_198_451_234_567  # 2026-01-02T03:04:05.1234567
_TIMESTAMP = datetime(2026, 1, 2, 3, 4, 5, 678_000)
_GUID = UUID("6F9619FF-8B86-D011-B42D-00C04FC964FF")

# declaration: literal, the value returned after INSERT and after `load`
_COLUMNS: dict[str, tuple[str, Any]] = {
    "bit": ("1", True),
    "tinyint": ("255", 255),
    "smallint": ("-32768", -32768),
    "int": ("-2147483648", -(2**31)),
    "bigint": ("9223372036854775807", 2**63 - 1),
    "decimal(38,10)": (
        "1234567890123456789012345678.0123456789",
        Decimal("1234567890123456789012345678.0123456789"),
    ),
    "numeric(5,2)": ("-999.99", Decimal("-999.99")),
    "money": ("-922337203685477.5808", Decimal("-922337203685477.5808")),
    "smallmoney": ("214748.3647", Decimal("214748.3647")),
    "float": ("1.1e0", 1.1),
    "real": ("1.5", 1.5),
    "date": ("'0001-01-01'", date(1, 1, 1)),
    "time(0)": ("'23:59:59'", time(23, 59, 59)),
    "time(7)": ("'01:02:03.1234567'", 37_231_234_567),
    "smalldatetime": ("'2026-01-02 03:04:00'", datetime(2026, 1, 2, 3, 4)),
    "datetime": ("'2026-01-02T03:04:05.677'", datetime(2026, 1, 2, 3, 4, 5, 677_000)),
    "datetime2(3)": ("'2026-01-02T03:04:05.678'", _TIMESTAMP),
    "datetime2(7)": ("'2026-01-02T03:04:05.1234567'", _TICKS),
    "datetime2(0)": ("'9999-12-31T23:59:59'", datetime(9999, 12, 31, 23, 59, 59)),
    "datetimeoffset(3)": (
        "'2026-01-02T03:04:05.678-03:30'",
        _TIMESTAMP.replace(tzinfo=timezone(-timedelta(hours=3, minutes=30))),
    ),
    "char(5)": ("'ab'", "ab   "),
    "varchar(5)": ("''", ""),
    "varchar(max)": ("'x'", "x"),
    "text": ("'it''s'", "it's"),
    "nchar(4)": ("N'🎉'", "🎉  "),
    "nvarchar(50)": ("N'Zoë 🎉 花子'", "Zoë 🎉 花子"),
    "nvarchar(max)": ("N'é'", "é"),
    "ntext": ("N'é'", "é"),
    "xml": ("'<a/>'", "<a/>"),
    "binary(4)": ("0x0102", b"\x01\x02\x00\x00"),
    "varbinary(4)": ("0x00FF", b"\x00\xff"),
    "varbinary(max)": ("0x", b""),
    "image": ("0x01", b"\x01"),
    "uniqueidentifier": ("'6f9619ff-8b86-d011-b42d-00c04fc964ff'", _GUID),
    "sql_variant": ("5", 5),
}


@pytest.fixture(scope="module")
def engine() -> DuckDBEngine:
    """An engine with an empty database."""
    engine = DuckDBEngine(lambda: datetime(2026, 1, 2, 3, 4, 5, 678_901, UTC))
    engine.create_database("shop")
    return engine


@pytest.fixture(scope="module")
def session(engine: DuckDBEngine) -> EngineSession:
    """An administrator in it."""
    return engine.login("sa", PASSWORD, "shop")


@pytest.mark.parametrize("declaration", _COLUMNS)
def test_column_keeps_type_and_value(engine: DuckDBEngine, declaration: str) -> None:
    """An inserted or loaded value, or NULL, is returned unchanged, with the declared type."""
    session = engine.login("sa", PASSWORD, "shop")
    table = f"[of {declaration}]"
    literal, value = _COLUMNS[declaration]
    engine.run("shop", f"CREATE TABLE {table} (v {declaration}); INSERT {table} VALUES ({literal})")
    engine.load("shop", table, [(value,), (None,)])
    assert rows(session, f"SELECT v FROM {table}") == [[value], [value], [None]]
    assert rows(session, f"SELECT w FROM (SELECT v AS w FROM {table}) x")[0] == [value]
    (sql_type,) = types(session, f"SELECT v FROM {table}")
    assert _declaration(sql_type) == declaration


def _declaration(sql_type: SqlType) -> str:
    if sql_type.length != 0:
        return f"{sql_type.name}({'max' if sql_type.length is None else sql_type.length})"
    if sql_type.precision:
        return f"{sql_type.name}({sql_type.precision},{sql_type.scale})"
    is_scaled = sql_type.name in ("time", "datetime2", "datetimeoffset")
    return f"{sql_type.name}({sql_type.scale})" if is_scaled else sql_type.name


def test_lone_surrogates_survive(engine: DuckDBEngine, session: EngineSession) -> None:
    """A lone surrogate in nvarchar can be loaded, searched and read."""
    engine.run("shop", "CREATE TABLE halves (t nvarchar(10))")
    engine.load("shop", "halves", [("a\ud83db",), ("🎉",)])
    assert rows(session, "SELECT t FROM halves") == [["a\ud83db"], ["🎉"]]
    assert rows(session, "SELECT t FROM halves WHERE t = @t", {"@t": "a\ud83db"}) == [["a\ud83db"]]


def test_rowversion_rises_with_each_change(engine: DuckDBEngine, session: EngineSession) -> None:
    """A rowversion is assigned by the server, rises on UPDATE, and compares with binary."""
    engine.run("shop", "CREATE TABLE v (id int, rv rowversion); INSERT v (id) VALUES (1), (2)")
    (first,), (second,) = rows(session, "SELECT rv FROM v ORDER BY id")
    engine.run("shop", "UPDATE v SET id = 3 WHERE id = 1")
    ((changed,),) = rows(session, f"SELECT rv FROM v WHERE rv > 0x{second.hex()}")
    assert first < second < changed
    assert len(changed) == 8


_EXPRESSIONS: dict[str, SqlType] = {
    "1": SqlType("int"),
    "12345678901": SqlType("numeric", precision=11),
    "1.50": SqlType("numeric", precision=3, scale=2),
    "1e3": SqlType("float"),
    "'abc'": SqlType("varchar", 3),
    "N'abc'": SqlType("nvarchar", 3),
    "0x0102": SqlType("varbinary", 2),
    "NULL": SqlType("int"),
    "CAST('x' AS nvarchar(max))": SqlType("nvarchar", None),
    "CONVERT(datetime2(3), '2026-01-02')": SqlType("datetime2", scale=3),
    "CAST(1 AS decimal(10, 2))": SqlType("decimal", precision=10, scale=2),
    "COUNT(*)": SqlType("int"),
    "COUNT_BIG(*)": SqlType("bigint"),
    "SUM(i)": SqlType("int"),
    "SUM(b)": SqlType("bigint"),
    "SUM(d)": SqlType("decimal", precision=38, scale=2),
    "AVG(d)": SqlType("decimal", precision=38, scale=6),
    "AVG(f)": SqlType("float"),
    "MAX(t)": SqlType("nvarchar", 20),
    "SUM(i) OVER ()": SqlType("int"),
    "ROW_NUMBER() OVER (ORDER BY i)": SqlType("bigint"),
    "i + b": SqlType("bigint"),
    "d * 2": SqlType("numeric", precision=12, scale=2),
    "d + i": SqlType("numeric", precision=13, scale=2),
    "i / 2.0": SqlType("numeric", precision=17, scale=6),
    "f + d": SqlType("float"),
    "t + 'xy'": SqlType("nvarchar", 22),
    "CASE WHEN i = 1 THEN 'a' ELSE t END": SqlType("nvarchar", 20),
    "COALESCE(i, b)": SqlType("bigint"),
    "ISNULL(i, 12345678901)": SqlType("int"),
    "IIF(i = 1, 1, 2.5)": SqlType("numeric", precision=11, scale=1),
    "GETDATE()": SqlType("datetime"),
    "SYSUTCDATETIME()": SqlType("datetime2", scale=7),
    "SYSDATETIMEOFFSET()": SqlType("datetimeoffset", scale=7),
    "DATEADD(day, 1, m)": SqlType("datetime2", scale=3),
    "DATEDIFF(day, m, m)": SqlType("int"),
    "DATEDIFF_BIG(second, m, m)": SqlType("bigint"),
    "LEN(t)": SqlType("int"),
    "NEWID()": SqlType("uniqueidentifier"),
    "@@VERSION": SqlType("nvarchar", 300),
    "(SELECT m)": SqlType("datetime2", scale=3),
}


@pytest.mark.parametrize("expression", _EXPRESSIONS)
def test_expression_has_sql_servers_type(engine: DuckDBEngine, expression: str) -> None:
    """Literals, aggregates, arithmetic and functions have SQL Server's types."""
    sql = (
        f"SELECT {expression} AS x FROM (SELECT 1 AS i, CAST(1 AS bigint) AS b, "
        "CAST(1 AS decimal(10, 2)) AS d, CAST(1 AS float) AS f, CAST('a' AS nvarchar(20)) AS t, "
        "CAST('2026-01-02' AS datetime2(3)) AS m) AS s"
    )
    session = engine.login("sa", PASSWORD, "shop")
    assert types(session, sql) == [_EXPRESSIONS[expression]]
    assert len(rows(session, sql)) == 1


_CASTS: dict[str, Any] = {
    "CAST('2026-01-02T03:04:05.678' AS datetime)": datetime(2026, 1, 2, 3, 4, 5, 677_000),
    "CAST('2026-01-02T03:04:05.999' AS datetime)": datetime(2026, 1, 2, 3, 4, 6),
    "CAST('2026-01-02T03:04:30' AS smalldatetime)": datetime(2026, 1, 2, 3, 5),
    "CAST(CAST('2026-01-02T03:04:05.678' AS datetime2(3)) AS datetime)": datetime(
        2026, 1, 2, 3, 4, 5, 677_000
    ),
    "CAST(CAST('2026-01-02T03:04:05.1234567' AS datetime2) AS datetime2(3))": datetime(
        2026, 1, 2, 3, 4, 5, 123_000
    ),
    "CAST(0 AS datetime)": datetime(1900, 1, 1),
    "CAST('12:34:56.789' AS time(1))": time(12, 34, 56, 800_000),
    "CAST(CAST('2026-01-02T23:30:00-02:00' AS datetimeoffset(0)) AS date)": date(2026, 1, 2),
    "CAST(2.7 AS int)": 2,
    "CAST(-2.7 AS int)": -2,
    "CAST(' 5 ' AS int)": 5,
    "CAST('' AS int)": 0,
    "CAST(2.345 AS decimal(5, 2))": Decimal("2.35"),
    "CAST(0.1 AS bit)": True,
    "CAST(5 AS binary(4))": b"\x00\x00\x00\x05",
    "CAST(0x10 AS int)": 16,
    "CAST('abcdef' AS varchar(3))": "abc",
    "CAST(CAST(1.5 AS money) AS varchar)": "1.50",
    "CAST(CAST(1234567 AS float) AS varchar)": "1.23457e+006",
    "CAST(CAST('6F9619FF-8B86-D011-B42D-00C04FC964FF' AS uniqueidentifier) AS char(36))": (
        "6F9619FF-8B86-D011-B42D-00C04FC964FF"
    ),
    "CONVERT(varchar(10), 0xAB, 1)": "0xAB",
    "TRY_CAST('x' AS int)": None,
    "TRY_CONVERT(datetime, 'x')": None,
}


@pytest.mark.parametrize("expression", _CASTS)
def test_casts_round_and_truncate_as_sql_server(session: EngineSession, expression: str) -> None:
    """Conversions round, truncate and format values as SQL Server does."""
    assert row(session, f"SELECT {expression}") == [_CASTS[expression]]


def test_clock_is_the_engines(session: EngineSession) -> None:
    """All current-time functions return the engine's clock, datetime in 1/300 s."""
    sql = "SELECT GETDATE(), CAST(SYSUTCDATETIME() AS datetime2(6)), SYSDATETIMEOFFSET()"
    now = datetime(2026, 1, 2, 3, 4, 5, 678_901)
    assert row(session, sql) == [now.replace(microsecond=680_000), now, now.replace(tzinfo=UTC)]


@pytest.mark.parametrize(
    "value",
    [1, 2**40, "it's 🎉", "a\0b", Decimal("1.50"), 1.5, True, _GUID, b"\x00\xff", None, date.min],
    ids=repr,
)
def test_parameter_keeps_type_and_value(session: EngineSession, value: object) -> None:
    """A parameter has the type of its value."""
    assert rows(session, "SELECT @p1 AS p", {"@p1": value}) == [[value]]


def test_only_plain_columns_and_literals_are_not_null(session: EngineSession) -> None:
    """NOT NULL columns and literals are not nullable; outer joins and expressions are."""
    sql = (
        "SELECT a.i, b.i, 1, ISNULL(b.i, 0), a.i + 1 FROM "
        "(SELECT 1 AS i) a LEFT JOIN (SELECT 1 AS i) b ON 1 = 1"
    )
    assert [c.nullable for c in session.describe(sql)] == [False, True, False, False, True]


def test_description_takes_declared_parameters(session: EngineSession) -> None:
    """A query is described with its parameter declarations, without running it."""
    (column,) = session.describe("SELECT @a + 1 / 0 AS x", "@a decimal(5, 2)")
    assert (column.name, column.type.name) == ("x", "numeric")
    assert session.describe("PRINT 'x'") == ()


@pytest.mark.parametrize(
    ("sql_type", "number", "message"),
    [
        ("datetime2(0)", 206, "Operand type clash: datetime2 is incompatible with int"),
        ("date", 206, "Operand type clash: date is incompatible with int"),
        ("datetimeoffset", 206, "Operand type clash: datetimeoffset is incompatible with int"),
        (
            "datetime",
            8115,
            "Arithmetic overflow error converting expression to data type datetime.",
        ),
    ],
)
def test_datetime_does_not_compare_with_unix_seconds(
    session: EngineSession, sql_type: str, number: int, message: str
) -> None:
    """Comparing a date and time with a large number fails as in SQL Server."""
    sql = f"SELECT 1 FROM (SELECT CAST('2026-01-02' AS {sql_type}) AS m) x WHERE m >= 1700000000"
    problem = error(session, sql)
    assert (problem.number, problem.message, problem.severity) == (number, message, 16)
