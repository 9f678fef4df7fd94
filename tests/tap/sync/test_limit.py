"""--limit: the first rows of each sync, from the server itself, and no bookmark that moves."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.sql_server.engine import DuckDBEngine
from sandbox.sql_server.results import ResultSet

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sandbox.sql_server.engine.session import DuckDBSession
    from sandbox.sql_server.results import Result

QUERY = "SELECT id AS userId, id AS at FROM retl_test_rows"
_LIMIT = re.compile(r"SET ROWCOUNT (\d+);")
ROWS = 20_000


class _LimitedEngine(DuckDBEngine):
    """Honours SET ROWCOUNT in the batch of a query, and remembers the limits."""

    def __init__(self) -> None:
        super().__init__()
        self.limits: list[int | None] = []

    def login(self, username: str, password: str, database: str) -> DuckDBSession:
        """A session that honours limits."""
        session = super().login(username, password, database)
        execute = session.execute

        def limited(sql: str, parameters: Mapping[str, Any] | None = None) -> Iterator[Result]:
            found = _LIMIT.search(sql)
            limit = int(found[1]) if found else None
            for result in execute(sql, parameters):
                if isinstance(result, ResultSet) and "FROM retl_test_rows" in sql:
                    self.limits.append(limit)
                    yield replace(result, rows=islice(result.rows, limit))
                else:
                    yield result

        session.execute = limited  # type: ignore[method-assign]
        return session


@pytest.fixture(scope="module")
def engine() -> _LimitedEngine:
    """The usual engine with a table of many rows."""
    engine = _LimitedEngine()
    engine.create_database("shop")
    engine.add_login("reader", "Sandbox-1", role="reader")
    engine.run("shop", "CREATE TABLE retl_test_rows (id int)")
    engine.load("shop", "retl_test_rows", [(number,) for number in range(ROWS)])
    return engine


def _sync(name: str = "rows", **settings: Any) -> dict[str, Any]:
    return {"name": name, "type": "identify", "query": QUERY, **settings}


@pytest.mark.parametrize(
    "settings",
    [{}, {"partition_column": "at", "partitions": 4}, {"order_column": "at"}],
    ids=["whole", "partitions", "in order"],
)
def test_first_rows_are_read_and_the_state_stays(run_tap, config, engine, tmp_path, settings):
    """However the sync is read; the server stops, and the report says `read`."""
    engine.limits.clear()
    path = tmp_path / "report.json"
    state = {"bookmarks": {"rows": {"last_sync_time": 5}}}
    (tmp_path / "state.json").write_text(json.dumps(state))
    config |= {"syncs": [_sync(**settings), _sync("other")], "report_path": str(path)}

    run = run_tap(config, "--limit", "3", "--state", str(tmp_path / "state.json"))

    assert run.exit_code == 0, run.log
    assert [len(run.records(name)) for name in ("rows", "other")] == [3, 3]
    assert [message["value"] for message in run.of_type("STATE")] == [state]
    assert engine.limits == [3, 3]
    report = json.loads(path.read_text())["syncs"]["rows"]
    assert (report["outcome"], report["rows"], report["last_sync_time"]) == ("read", 3, 5)
    assert all(message["schema"]["x-limit"] == 3 for message in run.of_type("SCHEMA"))


def test_limit_above_the_number_of_rows_moves_no_bookmark_either(run_tap, config):
    """A run with --limit is a trial, whatever it finds."""
    run = run_tap({**config, "syncs": [_sync()]}, "--limit", str(2 * ROWS))

    assert (run.exit_code, run.state) == (0, None)
    assert len(run.records("rows")) == ROWS


def test_limit_can_be_combined_with_resync(run_tap, config, tmp_path):
    """Then the rows are the first of all."""
    state = {"bookmarks": {"rows": {"last_sync_time": 5}}}
    (tmp_path / "state.json").write_text(json.dumps(state))
    syncs = [_sync(query=f"{QUERY} WHERE id >= {{{{last_sync_time}}}}")]
    arguments = ("--limit", "1", "--state", str(tmp_path / "state.json"))

    since = run_tap({**config, "syncs": syncs}, *arguments)
    again = run_tap({**config, "syncs": syncs}, *arguments, "--resync", "rows")

    assert [run.records("rows")[0]["userId"] for run in (since, again)] == [5, 0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--start-now", "rows"), "--start-now cannot be combined with"),
        (("--locked", "rows", "--partition", "0"), "--partition cannot be combined with --limit"),
        ((), "0 is not in the range"),
    ],
)
def test_what_does_not_go_with_a_limit_is_refused(run_tap, config, arguments, message):
    """Exit code 2, and a sentence that names both; so is a limit of 0."""
    limit = "5" if arguments else "0"

    run = run_tap({**config, "syncs": [_sync()]}, "--limit", limit, *arguments)

    assert run.exit_code == 2
    assert message in run.log


def test_window_is_only_checked_against_the_syncs_that_run(run_tap, config):
    """Another sync's query without a bound does not matter with --locked."""
    bounded = _sync(query=f"{QUERY} WHERE id >= {{{{last_sync_time}}}}")
    config |= {"syncs": [bounded, _sync("other")]}

    chosen = run_tap(config, "--since", "19990", "--locked", "rows")
    everything = run_tap(config, "--since", "19990")

    assert (chosen.exit_code, everything.exit_code) == (0, 2), chosen.log
    assert len(chosen.records("rows")) == 10
    assert 'the query of sync "other" has no' in everything.log
