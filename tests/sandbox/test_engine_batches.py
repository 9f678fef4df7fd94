"""Batches: variables, control flow, messages, transactions, data changes, system functions."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.shop import SYNCS, change_shop, create_shop
from sandbox.sql_server.engine import DuckDBEngine
from sandbox.sql_server.results import Message, ResultSet, RowCount, SqlError
from tests.sandbox.engine_batches import PASSWORD, error, results, row, rows, tables

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.sql_server.results import EngineSession

_EXPECTED_ROWS = {
    "users": 1200, "events": 2400, "companies": 90, "pages": 1000, "screens": 600,
    "user_resolution": 120, "subscriptions": 300,
}  # fmt: skip


@pytest.fixture
def engine() -> DuckDBEngine:
    """An engine with one table of three rows."""
    engine = DuckDBEngine()
    engine.create_database("shop")
    engine.run(
        "shop",
        "CREATE TABLE t (id int IDENTITY(10, 5) PRIMARY KEY, n nvarchar(10) NOT NULL DEFAULT N'x', "
        "at datetime2 DEFAULT SYSUTCDATETIME()); INSERT t (n) VALUES ('a'), ('b'), ('c')",
    )
    return engine


@pytest.fixture
def session(engine: DuckDBEngine) -> Iterator[EngineSession]:
    """An administrator."""
    session = engine.login("sa", PASSWORD, "shop")
    yield session
    session.close()


@pytest.fixture(scope="module")
def shop() -> DuckDBEngine:
    """The sample shop."""
    engine = DuckDBEngine()
    create_shop(engine)
    return engine


@pytest.mark.parametrize("sync", SYNCS, ids=lambda sync: str(sync["name"]))
@pytest.mark.parametrize("last_sync_datetime", ["1970-01-01T00:00:00", "2030-01-02T03:04:05"])
def test_syncs_of_the_shop_run(
    shop: DuckDBEngine, sync: dict[str, Any], last_sync_datetime: str
) -> None:
    """Every sync of the sample shop reads all rows from the start, and none from the future."""
    is_start = last_sync_datetime.startswith("1970")
    query = sync["query"].replace("{{last_sync_time}}", "0" if is_start else "1893553445")
    query = query.replace("{{last_sync_datetime}}", f"CAST('{last_sync_datetime}' AS datetime2(0))")
    found = rows(shop.login("reader", PASSWORD, "shop"), query)
    assert len(found) == (_EXPECTED_ROWS[sync["name"]] if is_start else 0)


def test_changes_of_the_shop_are_found() -> None:
    """A day's changes have the clock's timestamps, and the next sync finds them."""
    engine = DuckDBEngine()
    create_shop(engine)
    changed = change_shop(lambda sql: engine.run("shop", sql))
    for sync in SYNCS:
        query = sync["query"].replace("{{last_sync_time}}", "1780000000")
        query = query.replace("{{last_sync_datetime}}", "CAST('2026-06-01' AS datetime2(0))")
        assert len(engine.run("shop", query)) == changed[sync["name"]]


_BATCHES: dict[str, tuple[str, list[list[list[Any]]]]] = {
    "DECLARE and SET": (
        "DECLARE @x int = 5, @t nvarchar(3) = N'abcdef'; SET @x = @x + 1 SET @x += 2 SELECT @x, @t",
        [[[8, "abc"]]],
    ),
    "SELECT into variables": (
        ("DECLARE @n nvarchar(10), @i int = 7; SELECT @n = n, @i = id FROM t WHERE id = 15; "
        "SELECT @i = id FROM t WHERE id = 99; SELECT @n, @i"),
        [[["b", 15]]],
    ),
    "IF": ("IF EXISTS (SELECT 1 FROM t) SELECT 'yes' ELSE SELECT 'no'", [[["yes"]]]),
    "BEGIN and END": ("IF 1 = 0 SELECT 1 ELSE BEGIN SELECT 2; SELECT 3 END", [[[2]], [[3]]]),
    "WHILE": (
        ("DECLARE @i int = 0; WHILE 1 = 1 BEGIN SET @i += 1; IF @i = 2 CONTINUE; IF @i > 3 BREAK; "
        "SELECT @i END"),
        [[[1]], [[3]]],
    ),
    "TRY": (
        (
            "BEGIN TRY SELECT 1 / 0 END TRY "
            "BEGIN CATCH SELECT ERROR_NUMBER(), ERROR_MESSAGE() END CATCH"
        ),
        [[[8134, "Divide by zero error encountered."]]],
    ),
    "RETURN": ("SELECT 1; RETURN; SELECT 2", [[[1]]]),
    "EXEC of text": (
        "EXEC ('SELECT 7 AS a'); EXEC sp_executesql N'SELECT @p', N'@p int', 8",
        [[[7]], [[8]]]),
    "settings": (
        ("SET NOCOUNT ON SET LOCK_TIMEOUT 60000 SET DEADLOCK_PRIORITY LOW SET ANSI_NULLS ON "
        "SET TRANSACTION ISOLATION LEVEL READ COMMITTED SET XACT_ABORT ON SELECT @@LOCK_TIMEOUT"),
        [[[60000]]],
    ),
    "temporary table": (
        ("CREATE TABLE #x (i int IDENTITY, n varchar(5)); INSERT #x VALUES ('a'), ('b'); "
        "SELECT * FROM #x; SELECT n INTO #y FROM #x WHERE i = 2; SELECT * FROM #y"),
        [[[1, "a"], [2, "b"]], [["b"]]],
    ),
    "view": (
        "EXEC ('CREATE VIEW v AS SELECT id AS k FROM t') SELECT k FROM v WHERE k = 10",
        [[[10]]],
    ),
    "OUTPUT": ("INSERT t (n) OUTPUT inserted.id, inserted.n VALUES (N'z')", [[[25, "z"]]]),
    "identity": (
        "INSERT t (n) VALUES ('z'); SELECT SCOPE_IDENTITY(), @@ROWCOUNT",
        [[[Decimal(25), 1]]],
    ),
    "ALTER TABLE": (
        ("CREATE TABLE #a (i int); INSERT #a VALUES (1); "
        "ALTER TABLE #a ADD n int NOT NULL DEFAULT 7; SELECT * FROM #a; "
        "ALTER TABLE #a DROP COLUMN i; SELECT * FROM #a"),
        [[[1, 7]], [[7]]],
    ),
    "constraints of a table": (
        ("CREATE TABLE #k (i int, j int, CONSTRAINT pk PRIMARY KEY (i, j), UNIQUE (j)); "
        "INSERT #k VALUES (1, 1); BEGIN TRY INSERT #k VALUES (2, 1) END TRY "
        "BEGIN CATCH SELECT ERROR_NUMBER() END CATCH"),
        [[[2627]]],
    ),
    "columns of text as dates": (
        ("CREATE TABLE #d (d varchar(30)); INSERT #d VALUES ('2026-01-02T03:04:05'), ('20260103'); "
        "SELECT CAST(d AS date) FROM #d"),
        [[[date(2026, 1, 2)], [date(2026, 1, 3)]]],
    ),
    "STRING_SPLIT": ("SELECT value FROM STRING_SPLIT('a,b', ',')", [[["a"], ["b"]]]),
    "row count of a query": ("SELECT id FROM t; SELECT @@ROWCOUNT", [[[10], [15], [20]], [[3]]]),
}  # fmt: skip


@pytest.mark.parametrize("case", _BATCHES)
def test_batch_returns_its_result_sets(session: EngineSession, case: str) -> None:
    """T-SQL statements behave as in SQL Server, in order."""
    sql, expected = _BATCHES[case]
    assert tables(session, sql) == expected


@pytest.mark.parametrize(
    ("sql", "count", "left"),
    [
        ("INSERT INTO t (n) SELECT n FROM t WHERE id > 10", 2, ["a", "b", "c", "b", "c"]),
        ("INSERT t DEFAULT VALUES", 1, ["a", "b", "c", "x"]),
        ("UPDATE t SET n = n + '!' WHERE id > 10", 2, ["a", "b!", "c!"]),
        ("UPDATE x SET n = y.n FROM t x JOIN t y ON y.id = x.id + 5", 2, ["b", "c", "c"]),
        ("DELETE FROM t WHERE id = 10", 1, ["b", "c"]),
        ("DELETE x FROM t x JOIN t y ON y.id = x.id + 5", 2, ["c"]),
        ("WITH c AS (SELECT id FROM t WHERE n = 'a') DELETE FROM t WHERE id IN (SELECT id FROM c)",
         1, ["b", "c"]),
    ],
)  # fmt: skip
def test_changes_count_their_rows(
    session: EngineSession, sql: str, count: int, left: list[str]
) -> None:
    """INSERT, UPDATE and DELETE change the right rows and return their number."""
    assert results(session, sql) == [RowCount(count)]
    assert [n for (n,) in rows(session, "SELECT n FROM t ORDER BY id")] == left


@pytest.mark.parametrize("sql", ["UPDATE TOP (1) t SET n = DEFAULT", "DELETE TOP (1) FROM t"])
def test_top_limits_a_change(session: EngineSession, sql: str) -> None:
    """TOP limits the rows that a statement changes."""
    assert results(session, sql) == [RowCount(1)]
    assert len(rows(session, "SELECT id FROM t WHERE n IN ('a', 'b', 'c')")) == 2


def test_no_count_hides_counts(session: EngineSession) -> None:
    """SET NOCOUNT ON hides the number of rows, but @@ROWCOUNT has it."""
    assert results(session, "SET NOCOUNT ON; DELETE t WHERE id = 10") == [RowCount(None)]
    assert row(session, "DELETE t; SELECT @@ROWCOUNT") == [2]


def test_messages_and_raiserror_continue_the_batch(session: EngineSession) -> None:
    """PRINT and low severities are messages; RAISERROR does not end the batch."""
    sql = "PRINT N'é' + CAST(1 AS varchar) RAISERROR ('%d %s', 16, 3, 5, 'x') RAISERROR ('i', 9, 1)"
    printed, raised, informed = results(session, sql)
    assert printed == Message(0, "é1")
    assert (raised.number, raised.message, raised.state) == (50000, "5 x", 3)
    assert informed == Message(50000, "i", 1, 9)


def test_statement_error_continues_and_batch_error_ends(session: EngineSession) -> None:
    """A duplicate key ends its statement only; an unknown table ends the batch."""
    sql = "SET IDENTITY_INSERT t ON; INSERT t (id) VALUES (10); SELECT 2"
    problem, (_, found) = results(session, sql)
    assert isinstance(problem, SqlError)
    assert found == [[2]]
    seen: list[object] = []
    with pytest.raises(SqlError, match="Invalid object name"):
        seen.extend(session.execute("PRINT 'a' SELECT * FROM nowhere SELECT 3"))
    assert seen == [Message(0, "a")]


def test_syntax_error_comes_before_anything_runs(session: EngineSession) -> None:
    """A batch with a syntax error changes nothing."""
    assert error(session, "DELETE FROM t; SELECT * FROM t WHERE").number == 156
    assert len(rows(session, "SELECT id FROM t")) == 3


def test_rollback_undoes_rows_and_tables(session: EngineSession) -> None:
    """ROLLBACK restores rows and removes tables; @@TRANCOUNT counts transactions."""
    sql = "BEGIN TRAN; BEGIN TRAN; DELETE t; CREATE TABLE u (a int); SELECT @@TRANCOUNT; ROLLBACK"
    assert row(session, sql) == [2]
    assert len(rows(session, "SELECT id FROM t")) == 3
    assert error(session, "SELECT * FROM u").number == 208


def test_others_see_what_is_committed(engine: DuckDBEngine, session: EngineSession) -> None:
    """A change is visible to others after COMMIT, even within a transaction that reads."""
    reader = engine.login("sa", PASSWORD, "shop")
    reader.begin()
    session.begin()
    results(session, "DELETE t WHERE id = 10")
    assert len(rows(reader, "SELECT id FROM t")) == 3
    session.commit()
    assert len(rows(reader, "SELECT id FROM t")) == 2


def test_closing_rolls_back(engine: DuckDBEngine) -> None:
    """A session that ends rolls back its transaction."""
    session = engine.login("sa", PASSWORD, "shop")
    session.begin()
    results(session, "DELETE t")
    session.close()
    assert len(engine.run("shop", "SELECT id FROM t")) == 3


def test_use_changes_the_database(engine: DuckDBEngine, session: EngineSession) -> None:
    """USE changes the current database for names, DB_NAME and the session."""
    engine.create_database("other")
    engine.run("other", "CREATE TABLE o (a int)")
    assert row(session, "USE other; SELECT DB_NAME()") == ["other"]
    assert session.database == "other"
    assert rows(session, "SELECT a FROM o UNION ALL SELECT id FROM shop..t") == [[10], [15], [20]]


def test_server_describes_itself(session: EngineSession) -> None:
    """Version, edition and names are those of SQL Server 2022."""
    sql = (
        "SELECT LEFT(@@VERSION, 25), SERVERPROPERTY('ProductMajorVersion'), SUSER_SNAME(), "
        "SERVERPROPERTY('EngineEdition'), USER_NAME(), SCHEMA_NAME(), APP_NAME()"
    )
    assert row(session, sql) == ["Microsoft SQL Server 2022", "16", "sa", 3, "dbo", "dbo", ""]
    assert row(session, "SELECT @@SPID")[0] > 50


def test_system_views_list_tables(session: EngineSession) -> None:
    """information_schema and sys list databases, tables and columns."""
    sql = "SELECT table_name, table_type FROM information_schema.tables"
    assert rows(session, sql) == [["t", "BASE TABLE"]]
    sql = (
        "SELECT column_name, data_type, character_maximum_length, is_nullable "
        "FROM INFORMATION_SCHEMA.COLUMNS WHERE table_name = 'T' AND ordinal_position = 2"
    )
    assert rows(session, sql) == [["n", "nvarchar", 10, "NO"]]
    assert ["shop"] in rows(session, "SELECT name FROM sys.databases")
    assert row(session, "SELECT OBJECT_ID('dbo.t') - (SELECT object_id FROM sys.tables)") == [0]


def test_rows_are_streamed(session: EngineSession) -> None:
    """The first row of a huge result arrives at once, and the rest can be left unread."""
    sql = "SELECT a.id FROM t a" + "".join(f" CROSS JOIN t AS t{i}" for i in range(18))
    result = next(iter(session.execute(sql)))
    assert isinstance(result, ResultSet)
    assert next(result.rows)[0] in (10, 15, 20)
    assert row(session, "SELECT 1") == [1]
