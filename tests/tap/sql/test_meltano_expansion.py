from __future__ import annotations

import re

import pytest

from program_kit.findings import Level
from tap_mssql_query.sql.meltano_expansion import REMEDY, find_lost_variable
from tap_mssql_query.sql.select_only import check_query
from tests.tap.sql.test_select_only import INNOCENT

QUERIES = [
    "SELECT $IDENTITY AS userId FROM t",
    "SELECT $IDENTITY, email FROM t",
    "SELECT email, $IDENTITY FROM t",
    "SELECT email, $ROWGUID AS id FROM t",
    "SELECT t.$IDENTITY AS userId FROM t",
    "SELECT t.$IDENTITY, email FROM t",
    "SELECT email FROM t WHERE $IDENTITY > 5",
    "SELECT email FROM t WHERE a = $IDENTITY AND b = 2",
    "SELECT email FROM t WHERE a BETWEEN $IDENTITY AND 2",
    "SELECT email FROM t WHERE (a = $IDENTITY)",
    "SELECT email FROM t ORDER BY $IDENTITY",
    "SELECT email FROM t ORDER BY $IDENTITY DESC",
    "SELECT COALESCE($IDENTITY, 1) AS a FROM t",
    "SELECT a FROM t JOIN u ON $IDENTITY = u.a",
    "SELECT $PARTITION.pf(a) AS p FROM t",
    "SELECT a, $PARTITION.pf(a) AS p FROM t",
    "SELECT a FROM t WHERE b = 1 AND $PARTITION.pf(a) = 2",
    "SELECT COUNT(*) AS n FROM t GROUP BY $PARTITION.pf(a)",
    "SELECT MAX($PARTITION.pf(a)) AS n FROM t",
    "SELECT shop.$PARTITION.pf(a) AS p FROM t",
    "SELECT a, shop.$PARTITION.pf(a) AS p FROM t",
    "SELECT $Identity AS userId FROM t",
    "SELECT $Partition.pf(a) AS p FROM t",
    "SELECT $RowGuid AS id FROM t",
]
LOOK_ALIKE = [
    "SET NOCOUNT ON; SELECT a FROM t",
    "SET NOCOUNT, XACT_ABORT ON\nSELECT a FROM t",
    "SELECT a FROM t; SET NOCOUNT OFF",
    "SELECT .5 AS a, -.5 AS b FROM t",
    "SELECT a FROM shop..t (NOLOCK) WHERE b <= 1 AND c <> 2 AND d >= 3 AND e != 4",
    "SELECT a FROM shop..f(1) AS t",
    "SELECT a FROM u CROSS APPLY shop..f(u.a) AS t",
    "SELECT a, b FROM u, shop..t (NOLOCK)",
    "SELECT t . a FROM t WHERE a IS NOT DISTINCT FROM b",
    "SELECT t.*, GETDATE() AS now FROM dbo.t AS t",
    "SELECT x.value('(/a)[1]', 'int') AS a FROM t CROSS APPLY c.nodes('/a') AS n(x)",
    "SELECT CAST(a AS xml).value('.', 'int') AS a FROM t",
    "SELECT JSON_VALUE(a, '$.B') AS a, $1.5 AS price, $ AS nothing FROM t",
    "SELECT SUM(a) OVER (PARTITION BY b ORDER BY c) AS s FROM t GROUP BY GROUPING SETS ((a), ())",
    "SELECT ', ,' AS [a, , b], 'SELECT FROM' AS b FROM t /* WHERE AND */ -- , ,",
    "SELECT LEFT(a, 1) AS l FROM t WHERE RIGHT(a, 1) = LEFT(b, 1)",
    "SELECT a FROM t FOR JSON PATH, INCLUDE_NULL_VALUES",
]


def _expand_as_meltano_does(query: str) -> str:
    """Expands variables like Meltano 4.4 (`meltano.core.utils.ENV_VAR_PATTERN`), if none is set."""
    return re.sub(r"(?<!\\)\$(?:{\w+}|[A-Z][A-Z0-9_]*)", "", query)


@pytest.mark.parametrize("query", QUERIES)
def test_lost_variable_is_found(query):
    """If Meltano has removed a name, the remedy is given."""
    said = find_lost_variable(_expand_as_meltano_does(query))

    assert said is not None
    assert "\\$IDENTITY" in said
    assert "query_file" in said


@pytest.mark.parametrize("query", QUERIES)
def test_kept_variable_is_no_finding(query):
    """The same query from a file, or escaped, gives no warning."""
    assert find_lost_variable(query) is None


@pytest.mark.parametrize("query", [*LOOK_ALIKE, *INNOCENT])
def test_valid_query_is_no_finding(query):
    """Valid T-SQL gives no warning."""
    assert find_lost_variable(query) is None


def test_message_contains_no_value():
    """The message shows words of the query, never quoted text."""
    said = find_lost_variable("SELECT 'secret', FROM t WHERE a = 'secret'")

    assert said is not None
    assert "`, FROM`" in said
    assert "secret" not in said


def test_check_warns():
    """`--check` reports it as a finding of the sync."""
    findings = check_query("SELECT AS userId FROM t")

    assert any(f.level is Level.WARNING and REMEDY in f.message for f in findings)


def test_run_warns(run_tap, config):
    """A run warns before the server refuses the query; the other syncs run."""
    syncs = [
        {"name": "lost", "type": "identify", "query": "SELECT AS userId FROM retl_test_users"},
        {"name": "kept", "type": "identify", "query": "SELECT id AS userId FROM retl_test_users"},
    ]

    run = run_tap({**config, "syncs": syncs})

    assert run.exit_code == 3
    assert "sync=lost: Something is missing at `SELECT AS`" in run.log
    assert "sync=lost failed" in run.log
    assert "sync=kept:" not in run.log
    assert len(run.records("kept")) == 2
