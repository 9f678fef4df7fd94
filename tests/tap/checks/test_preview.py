"""--preview: rows of one sync as a table, against SQL Server over TDS."""

from __future__ import annotations

import json
import re
import time
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.sql_server.engine import DuckDBEngine
from sandbox.sql_server.results import ResultSet

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from sandbox.sql_server.engine.session import DuckDBSession
    from sandbox.sql_server.results import Result

    StartTap = Callable[..., subprocess.Popen[str]]

USERS = "SELECT id AS userId, email FROM retl_test_users WHERE last_updated >= {{last_sync_time}}"
MANY = "WITH n AS (SELECT id FROM retl_test_many) SELECT id AS userId FROM n ORDER BY id DESC"
_LIMIT = re.compile(r"SET ROWCOUNT (\d+);")


class _CountingEngine(DuckDBEngine):
    """Honours SET ROWCOUNT in the batch of a query, and counts the rows of `many`."""

    def __init__(self) -> None:
        super().__init__()
        self.rows_given = 0

    def login(self, username: str, password: str, database: str) -> DuckDBSession:
        """A session that counts rows."""
        session = super().login(username, password, database)
        execute = session.execute

        def count(sql: str, parameters: Mapping[str, Any] | None = None) -> Iterator[Result]:
            limit = _LIMIT.search(sql)
            for result in execute(sql, parameters):
                if isinstance(result, ResultSet) and "FROM retl_test_many" in sql:
                    rows = islice(result.rows, int(limit[1]) if limit else None)
                    yield replace(result, rows=self._counted(rows))
                else:
                    yield result

        session.execute = count  # type: ignore[method-assign]
        return session

    def _counted(self, rows: Iterator[Sequence[Any]]) -> Iterator[Sequence[Any]]:
        for row in rows:
            self.rows_given += 1
            yield row


@pytest.fixture(scope="module")
def engine() -> _CountingEngine:
    """The usual engine with a table of 50,000 rows."""
    engine = _CountingEngine()
    engine.create_database("shop")
    engine.add_login("reader", "Sandbox-1", role="reader")
    engine.run("shop", "CREATE TABLE retl_test_many (id int)")
    engine.load("shop", "retl_test_many", [(number,) for number in range(50_000)])
    return engine


def _sync(name: str = "users", query: str = USERS, **settings: object) -> dict[str, Any]:
    return {"name": name, "type": "identify", "query": query, **settings}


def _lines(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


@pytest.mark.parametrize("reader", ["arrow", "odbc"])
def test_preview_shows_names_types_and_rows(
    start_tap: StartTap, config: dict[str, Any], reader: str
) -> None:
    """A table shows names, SQL Server's types and all rows, without Singer messages."""
    config = {**config, "reader": reader, "syncs": [_sync()]}
    process = start_tap(config, "--preview", "users")
    output, _ = process.communicate()
    assert _lines(output) == [
        ["userId", "email"],
        ["int", "nvarchar(50)"],
        ["1", "zoë@example.com"],
        ["2", "NULL"],
    ]
    assert process.returncode == 0


@pytest.mark.parametrize(("arguments", "count"), [((), 10), (("--limit", "3"), 3)])
def test_preview_fetches_no_more_than_the_limit(
    start_tap: StartTap,
    config: dict[str, Any],
    engine: _CountingEngine,
    arguments: Sequence[str],
    count: int,
) -> None:
    """The server returns the first N rows, ten by default, and no more."""
    engine.rows_given = 0
    process = start_tap({**config, "syncs": [_sync(query=MANY)]}, "--preview", "users", *arguments)
    output, _ = process.communicate()
    assert [line[0] for line in _lines(output)[2:]] == [str(49_999 - i) for i in range(count)]
    assert engine.rows_given == count


def test_preview_reads_from_the_bookmark_and_leaves_it(
    start_tap: StartTap, config: dict[str, Any], tmp_path: Path
) -> None:
    """`--state` limits the rows, even if the sync is not due; the file is unchanged."""
    path = tmp_path / "state.json"
    path.write_text(json.dumps({"bookmarks": {"users": {"last_sync_time": 15}}}))
    before = path.read_bytes()
    sync = _sync(frequency="1d", start_at="2999-01-01", enabled=False)
    process = start_tap({**config, "syncs": [sync]}, "--preview", "users", "--state", str(path))
    output, _ = process.communicate()
    assert _lines(output)[2:] == [["2", "NULL"]]
    assert path.read_bytes() == before


def test_preview_shows_values_as_they_are_sent(
    start_tap: StartTap, config: dict[str, Any], run_sql: Callable[[str], object]
) -> None:
    """Decimals are exact, instants in UTC, JSON is JSON, and control characters are escaped."""
    run_sql("DROP TABLE IF EXISTS retl_test_odd")
    run_sql("CREATE TABLE retl_test_odd (price decimal(12,2), at datetime2(0), j nvarchar(max))")
    run_sql(
        "INSERT INTO retl_test_odd VALUES (12.50, '2026-01-02T03:04:05', N'{\"a\": [1.10]}'), "
        "(NULL, NULL, N'[red]' + NCHAR(27) + N'[2J')"
    )
    sync = _sync(
        query="SELECT * FROM retl_test_odd",
        json_columns=["j"],
        timezone="Europe/Amsterdam",
        name="odd",
    )
    output, _ = start_tap({**config, "syncs": [sync]}, "--preview", "odd").communicate()
    assert _lines(output)[1:] == [
        ["decimal(12,2)", "datetime2(0)", "nvarchar(max)"],
        ["12.50", "2026-01-02T02:04:05Z", '{"a":[1.10]}'],
        ["NULL", "NULL", "[red]\\x1b[2J"],
    ]


def test_unknown_name_lists_the_names(start_tap: StartTap, config: dict[str, Any]) -> None:
    """An unknown name exits 2 with the known names, and nothing is connected to."""
    config = {**config, "port": 1, "syncs": [_sync("users"), _sync("other")]}
    process = start_tap(config, "--preview", "usres")
    output, log = process.communicate()
    assert (process.returncode, output) == (2, "")
    assert 'there is no sync "usres". Known syncs: users, other.' in log


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("SELECT id INTO stolen FROM retl_test_users", "It contains INTO"),
        ("SELECT nothing FROM retl_test_users", "Invalid column name 'nothing'"),
        ("SELECT id, id FROM retl_test_users", "cannot be in the same result"),
    ],
)
def test_query_that_is_refused_exits_3(
    start_tap: StartTap, config: dict[str, Any], query: str, message: str
) -> None:
    """A query that a run would refuse is refused here too."""
    process = start_tap({**config, "syncs": [_sync(query=query)]}, "--preview", "users")
    output, log = process.communicate()
    assert (process.returncode, output) == (3, "")
    assert message in log


def test_bookmark_in_the_future_is_refused(
    start_tap: StartTap, config: dict[str, Any], tmp_path: Path
) -> None:
    """A state that a run would refuse is refused here too."""
    path = tmp_path / "state.json"
    future = int(time.time()) + 9_999
    path.write_text(json.dumps({"bookmarks": {"users": {"last_sync_time": future}}}))
    process = start_tap({**config, "syncs": [_sync()]}, "--preview", "users", "--state", str(path))
    assert process.wait() == 2
