"""Queries that write or might write are refused; similar harmless ones are not."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from program_kit.findings import Finding, Level
from tap_mssql_query.errors import QueryFailed
from tap_mssql_query.sql.select_only import SelectQuery, check_query, find_violations

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.tap.conftest import TapRun

WRITING = [
    "INSERT INTO t VALUES (1)",
    "UPDATE t SET a = 1",
    "DELETE FROM t",
    "MERGE t USING u ON t.a = u.a WHEN MATCHED THEN DELETE;",
    "TRUNCATE TABLE t",
    "DROP TABLE t",
    "ALTER TABLE t ADD b int",
    "CREATE INDEX i ON t (a)",
    "GRANT SELECT ON t TO x",
    "DENY SELECT ON t TO x",
    "REVOKE SELECT ON t FROM x",
    "SELECT a INTO u FROM t",
    "SELECT a INTO #u FROM t",
    "SELECT a FROM t UNION ALL SELECT a INTO u FROM t",
    "WITH c AS (SELECT a FROM t) UPDATE c SET a = 1",
    "WITH c AS (SELECT a FROM t) DELETE FROM c",
    "WITH c AS (SELECT a FROM t) INSERT u SELECT a FROM c",
    "SELECT a FROM (UPDATE t SET a = 1 OUTPUT inserted.a) AS u",
    "EXEC sp_who",
    "EXECUTE dbo.send_everything",
    "EXEC('DROP TABLE t')",
    "exec sp_executesql N'SELECT 1'",
    "sp_executesql N'DROP TABLE t'",
    "sp_who",
    "[sp_who]",
    "dbo.send_everything 1, 2",
    "EXEC master..xp_cmdshell 'dir'",
    "xp_cmdshell 'dir'",
    "{call sp_who}",
    "{?=call sp_who}",
    "SELECT 1 AS a {call sp_who}",
    "SELECT 1 AS a; DROP TABLE t",
    "SELECT 1 AS a; SELECT 2 AS a",
    "SELECT 1 AS a SELECT 2 AS a",
    "(SELECT 1 AS a) SELECT 2 AS a",
    "SELECT 1 AS a DROP TABLE t",
    "SELECT 1 DELETE FROM t",
    "SELECT a FROM t EXEC('DROP TABLE t')",
    "SELECT a FROM t EXEC sp_who",
    "SELECT a FROM t SHUTDOWN",
    "SELECT 1DROP TABLE t",
    "SELECT 1.DROP TABLE t",
    "SELECT 1exec sp_who",
    "SELECT 1eEXEC sp_who",
    "SELECT 0x1FDROP TABLE t",
    "SELECT $DROP TABLE t",
    "SELECT 'a'DROP TABLE t",
    "SELECT[a]FROM[t]DROP TABLE[t]",
    'SELECT "a"DROP TABLE t',
    "SELECT 'it''s'; DROP TABLE t --'",
    "SELECT [a]]] FROM t DROP TABLE t --]",
    "SELECT 1 AS a -- innocent\nDROP TABLE t",
    "SELECT 1 AS a -- innocent\r\n; DROP TABLE t",
    "SELECT 1 AS a -- innocent\rDROP TABLE t",
    "SELECT 1 AS a -- innocent\u2028DROP TABLE t",
    "SELECT 1 AS a --\r /*\nDROP TABLE t --\r*/",
    "SELECT 1 AS a /* innocent */ DROP TABLE t",
    "SELECT 1 AS a /* /* */ */ DROP TABLE t /* */",
    "SELECT 1 AS a /*' */ DROP TABLE t --'",
    "SELECT 1 AS a --'\nDROP TABLE t --'",
    "/* SELECT */ DR\0OP TABLE t",
    "SELECT 1 AS a DR\0OP TABLE t",
    "SELECT 1 AS a\xa0DROP\xa0TABLE t",
    "SELECT 1 AS a \uff24\uff32\uff2f\uff30 TABLE t",
    "SeLeCt 1 AS a dRoP tAbLe t",
    "SELECT * FROM OPENROWSET('SQLNCLI', 'x', 'DELETE FROM t') AS r",
    "SELECT * FROM OPENQUERY(other, 'DELETE FROM t')",
    "SELECT * FROM OPENDATASOURCE('SQLNCLI', 'x').db.dbo.t",
    "USE master",
    "SELECT a FROM t USE master",
    "SET ROWCOUNT 5",
    "SELECT a FROM t SET ROWCOUNT 0",
    "DECLARE @a int = 1",
    "SELECT 1 AS a DECLARE @a int",
    "WAITFOR DELAY '01:00:00'",
    "SELECT 1 AS a WAITFOR DELAY '01:00:00'",
    "BEGIN TRAN",
    "SELECT 1 AS a COMMIT",
    "IF 1 = 1 DROP TABLE t",
    "WHILE 1 = 1 SELECT 1 AS a",
    "SELECT NEXT VALUE FOR dbo.numbers AS a",
    "SELECT NEXT /* */ VALUE\nFOR dbo.numbers AS a",
    "UPDATE STATISTICS t",
    "BACKUP DATABASE d TO DISK = 'x'",
    "RESTORE DATABASE d FROM DISK = 'x'",
    "DBCC CHECKDB",
    "SHUTDOWN",
    "KILL 53",
    "RECONFIGURE",
    "REVERT",
    "CHECKPOINT",
    "BULK INSERT t FROM 'x'",
    "UPDATETEXT t.a @p 0 0 'x'",
    "ENABLE TRIGGER x ON t",
    "SELECT a FROM t; THROW 50000, 'x', 1",
    "SELECT 1 AS id) SELECT 1 AS least, 2 AS greatest, 0 AS rows_read, (SELECT 1 AS id",
    "SELECT (1 AS a",
    "SELECT 1) AS (a",
    "RECEIVE * FROM q",
    "GO\nDROP TABLE t",
    "PRINT 'x'",
    "RAISERROR('x', 16, 1)",
    "SELECT 1SELECT 2",
    "SELECT 1.5SELECT 2",
    "SELECT 1 AS a UNION SELECT 1SELECT 2",
    "SELECT $1SELECT 2",
    "SELECT 'a'SELECT 2",
    "SELECT 1 AS a\nGO",
    "SELECT a FROM t\n  go 5 -- five times\n",
    "SELECT a FROM t\r\nGO;\r\nSELECT b FROM u",
    "SELECT CASE WHEN a = 1THEN 1ELSE 2END AS b FROM t",
    "SELECT 0xFOR AS a",
    "SELECT 1 AS a {?=call sp_who}",
    "SELECT a FROM t WHERE b = \u2018x\u2019",
    "SELECT a\u200b FROM t",
    "SELECT a FROM t\uff1b DROP TABLE t",
    "SELECT a FROM t /* DROP TABLE t",
    "SELECT a FROM t WHERE b = 'DROP TABLE t",
    "SELECT a FROM t AS [b",
    'SELECT a FROM t AS "b',
    "SELECT a FROM t /* /* */",
    "",
    " \t\r\n",
    ";",
    ";;--\n;",
    "()",
    "-- SELECT 1 AS a",
    "/* SELECT 1 AS a",
]

INNOCENT = [
    "SELECT [update], [delete], [set], [into] FROM [drop]",
    'SELECT "update", t."exec" FROM "drop" AS t',
    "SELECT a FROM t WHERE b = 'DELETE FROM t; DROP TABLE t'",
    "SELECT N'it''s; EXEC sp_who' AS a, ''';DROP TABLE t--' AS b",
    "SELECT [a]]; DROP TABLE t] FROM t",
    "SELECT a -- DROP TABLE t\nFROM t /* ; DELETE FROM t */",
    "SELECT a /* /* nested */ ; DROP TABLE t */ FROM t",
    "SELECT a FROM t -- the last line is a comment; DROP TABLE t",
    "SELECT a FROM t;",
    " ;;SELECT a FROM t ; ; ",
    "SELECT updated_at, deleted, created, inserted_by, is_set, executed, dropped FROM updates",
    "SELECT @@VERSION AS v, @@SPID AS s",
    "SELECT xp_total, sp_rank, users.executes FROM scores",
    "WITH c AS (SELECT a FROM t), d AS (SELECT a FROM c) SELECT a FROM d",
    ";WITH c AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM c WHERE n < 9) SELECT n FROM c",
    "SELECT a FROM t UNION SELECT a FROM u UNION ALL SELECT a FROM v EXCEPT SELECT a FROM w",
    "(SELECT a FROM t) UNION ALL (SELECT a FROM u)",
    "(SELECT a FROM t) INTERSECT SELECT a FROM u ORDER BY a",
    "SELECT a, ROW_NUMBER() OVER (PARTITION BY b ORDER BY c DESC) AS n FROM t",
    "SELECT SUM(a) OVER (ORDER BY b ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS s FROM t",
    "SELECT a, (SELECT b, c FROM u WHERE u.a = t.a FOR JSON PATH) AS products FROM t",
    "SELECT a FROM t FOR JSON PATH, ROOT('x')",
    "SELECT STUFF((SELECT ',' + b FROM u FOR XML PATH('')), 1, 1, '') AS a FROM t",
    "SELECT a FROM t OPTION (RECOMPILE, MAXDOP 1)",
    "SELECT t.a FROM t INNER MERGE JOIN u ON t.a = u.a",
    "SELECT TOP (10) WITH TIES a FROM t ORDER BY a",
    "SELECT a FROM t ORDER BY a OFFSET 5 ROWS FETCH NEXT 5 ROWS ONLY",
    "SELECT CASE WHEN a = 1 THEN 'x' ELSE 'y' END AS b, IIF(a > 1, 1, 0) AS c FROM t",
    "SELECT a FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.a = t.a) AND b IN (SELECT b FROM v)",
    "SELECT t.a, x.b FROM t CROSS APPLY (SELECT TOP 1 b FROM u WHERE u.a = t.a ORDER BY c) AS x",
    "SELECT t.a FROM t OUTER APPLY OPENJSON(t.j) WITH (b int '$.b') AS x",
    "SELECT * FROM (SELECT a, b FROM t) AS s PIVOT (SUM(a) FOR b IN ([x], [y])) AS p",
    "SELECT n, v FROM (SELECT a, b FROM t) AS s UNPIVOT (v FOR n IN (a, b)) AS p",
    "SELECT a FROM t FOR SYSTEM_TIME AS OF '2026-01-01'",
    "SELECT STRING_AGG(a, ',') WITHIN GROUP (ORDER BY a) AS s FROM t GROUP BY b HAVING MAX(c) > 1",
    "SELECT a AT TIME ZONE 'UTC' AS b, REPLACE(a, 'x', 'y') AS c FROM db.dbo.t",
    "SELECT c.value('(/a)[1]', 'int') AS v FROM t CROSS APPLY x.nodes('/r') AS n(c)",
    "SELECT GROUPING(a) AS g, a FROM t GROUP BY GROUPING SETS ((a), ())",
    "SELECT 1e5 AS a, 0xDEAD AS b, $1.50 AS c, 1. AS d",
    "SELECT naïve, größe, [名前], 数 FROM ünï",
    "SELECT नाम, gro\u0308ße, £5 AS a, $5 AS b FROM t",
    "SELECT a FROM t WHERE b > 1795439367AND c > 0ORDER BY a",
    "SELECT 1UNION ALL SELECT 2",
    "SELECT a,\ngo\nFROM t",
    "SELECT a AS\nGO\nFROM t",
    "SELECT [go]\nFROM t -- GO\n/*\nGO\n*/",
    "SELECT a -- first\r\n, b -- second \t\r\r\nFROM t",
    "SELECT 'a\u2028b\rc' AS a, [b\u2028] FROM t /* \u2028 -- \r */",
    "SELECT\xa0a\u3000FROM\u2003t",
]
HINTED = [
    "SELECT a FROM t OPTION (USE HINT ('FORCE_LEGACY_CARDINALITY_ESTIMATION'))",
    "SELECT a FROM t UNION SELECT a FROM u OPTION (MERGE UNION, MERGE JOIN)",
]


@pytest.mark.parametrize("sql", WRITING, ids=ascii)
def test_query_that_writes_or_might_is_refused(sql: str) -> None:
    """Whatever is not one SELECT fails before it reaches the server."""
    with pytest.raises(QueryFailed):
        SelectQuery(sql)


@pytest.mark.parametrize("sql", INNOCENT, ids=ascii)
def test_harmless_query_has_no_finding(sql: str) -> None:
    """Bracketed names, strings, comments and everything allowed in a SELECT pass."""
    assert check_query(sql) == []


@pytest.mark.parametrize("sql", HINTED, ids=ascii)
def test_hint_of_a_select_is_allowed(sql: str) -> None:
    """MERGE and USE are allowed in hints."""
    assert find_violations(sql) == []


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT a FROM t WITH (NOLOCK)",
        "SELECT a FROM t (nolock) JOIN u WITH (READPAST, READUNCOMMITTED) ON t.a = u.a",
    ],
)
def test_dirty_read_is_a_warning(sql: str) -> None:
    """NOLOCK is allowed, with a warning."""
    assert {finding.level for finding in check_query(sql)} == {Level.WARNING}


def test_name_like_nolock_is_no_warning() -> None:
    """A column called nolock is a column."""
    assert check_query("SELECT nolock FROM t WHERE 'NOLOCK' = b") == []


def test_query_that_cannot_be_parsed_is_a_warning() -> None:
    """A query that sqlglot cannot parse may still be valid T-SQL."""
    (finding,) = check_query("SELECT a FROM t WHERE b LIKE LIKE 1")
    assert isinstance(finding, Finding)
    assert (finding.level, "could not be parsed" in finding.message) == (Level.WARNING, True)


@pytest.mark.parametrize(
    ("sql", "remedy"),
    [
        ("EXEC dbo.changes", "inline table-valued function"),
        ("SELECT 1 AS a {call sp_who}", "inline table-valued function"),
        ("DECLARE @a int = 1; SELECT @a AS a", "{{last_sync_time}}"),
        ("SET NOCOUNT ON; SELECT a FROM t", "Leave options such as SET NOCOUNT ON out"),
        ("SELECT a INTO #t FROM u", "Instead of a temporary table write a CTE"),
        ("USE shop; SELECT a FROM t", "Set the `database`"),
        ("IF 1 = 1 SELECT 1 AS a", "CASE or WHERE"),
        ("UPDATE t SET a = 1", "A sync only reads"),
        ("SELECT NEXT VALUE FOR s AS a", "ROW_NUMBER"),
    ],
)
def test_refusal_names_a_way_out(sql: str, remedy: str) -> None:
    """Each says what to write instead, and where the documentation has more."""
    message = " ".join(find_violations(sql))
    assert remedy in message
    assert 'See "Queries that need more than a SELECT" in docs/operations.md.' in message
    if sql.startswith("UPDATE"):
        assert "NOCOUNT" not in message


@pytest.mark.parametrize("sql", ["SELECT a FROM t\nGO", "SELECT a FROM t\ngo\nSELECT b FROM t"])
def test_go_is_named(sql: str) -> None:
    """The server would take it for the name of the table."""
    assert "command of sqlcmd" in " ".join(find_violations(sql))


def test_all_violations_are_reported_at_once() -> None:
    """The message has every forbidden word and the number of statements, but no value."""
    violations = " ".join(find_violations("SELECT 'secret' AS a; UPDATE t SET a = 'secret'"))
    assert all(part in violations for part in ("2 statements", "UPDATE, SET"))
    assert "secret" not in violations


def test_a_run_does_not_load_the_parser() -> None:
    """A run does not load sqlglot, which would take a tenth of a second."""
    code = (
        "import sys; from tap_mssql_query.sql.select_only import SelectQuery;"
        "SelectQuery('SELECT 1 AS a'); sys.exit('sqlglot' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_run_refuses_a_query_that_writes(
    run_tap: Callable[..., TapRun],
    config: dict[str, Any],
    administrator: dict[str, str],
    run_sql: Callable[[str], object],
) -> None:
    """Even if the login may write, nothing is written; the other syncs run."""
    sync = {"name": "copy", "type": "identify", "query": ""}
    sync["query"] = "SELECT id AS userId INTO retl_test_copy FROM retl_test_users"
    other = {**sync, "name": "other", "query": "SELECT id AS userId FROM retl_test_users"}
    run_sql("DROP TABLE IF EXISTS retl_test_copy")
    run = run_tap({**config, **administrator, "syncs": [sync, other]})
    assert (run.exit_code, len(run.records("other"))) == (3, 2)
    assert "sync=copy failed: The query is not run. It contains INTO" in run.log
    run_sql("CREATE TABLE retl_test_copy (id int)")
    run_sql("DROP TABLE retl_test_copy")
