"""The tap as a program, against SQL Server over TDS."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.sql_server.faults import Answer, BatchFault
from sandbox.sql_server.results import SqlError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sandbox.sql_server.server import SqlServer
    from tests.tap.conftest import TapRun

    RunTap = Callable[..., TapRun]

USERS = "SELECT id AS userId, email FROM retl_test_users WHERE last_updated >= {{last_sync_time}}"

CLOCK_SKEW_SECONDS = 5  # between this machine and the server


_BUG = """
from tap_mssql_query.sync import run
find = run.find_window
def find_window(sync, *args, **kwargs):
    if sync.name == "a":
        raise OverflowError("canary")
    return find(sync, *args, **kwargs)
run.find_window = find_window
"""


class _LateError(BatchFault):
    """An error after the whole result."""

    def disturb(self, results: Iterator[Any], _: Answer, /) -> Iterator[Any]:
        """See the class."""
        yield from results
        raise SqlError(50000, "late")


def _sync(name: str = "users", query: str = USERS, **settings: object) -> dict[str, Any]:
    return {"name": name, "type": "identify", "query": query, **settings}


@pytest.mark.parametrize("reader", ["arrow", "odbc"])
def test_first_sync_reads_everything(run_tap: RunTap, config: dict[str, Any], reader: str) -> None:
    """Both readers give SCHEMA, all records, and a STATE with the server's time."""
    before = int(time.time())
    run = run_tap({**config, "reader": reader, "syncs": [_sync(key_columns=["userId"])]})
    assert (run.exit_code, [m["type"] for m in run.messages]) == (
        0,
        ["STATE", "SCHEMA", "RECORD", "RECORD", "STATE"],
    )
    assert run.records("users") == [
        {"userId": 1, "email": "zoë@example.com"},
        {"userId": 2, "email": None},
    ]
    assert run.state is not None
    moved = run.state["bookmarks"]["users"]["last_sync_time"]
    assert before - CLOCK_SKEW_SECONDS <= moved <= time.time() + CLOCK_SKEW_SECONDS


def test_schema_has_the_call_type_and_the_bookmark(run_tap: RunTap, config: dict[str, Any]) -> None:
    """SCHEMA has the columns' types, the call type, and the time in the query."""
    state = {"bookmarks": {"users": {"last_sync_time": 15}}}
    run = run_tap({**config, "syncs": [_sync(key_columns=["userId"])]}, state=state)
    (schema,) = run.of_type("SCHEMA")
    assert schema["stream"] == "users"
    assert schema["key_properties"] == ["userId"]
    assert schema["schema"] == {
        "type": "object",
        "properties": {
            "userId": {"type": ["integer", "null"]},
            "email": {"type": ["string", "null"]},
        },
        "x-call-type": "identify",
        "x-last-sync-time": 15,
        "x-sync-time": run.state and run.state["bookmarks"]["users"]["last_sync_time"],
    }


def test_second_sync_reads_only_changes(run_tap: RunTap, config: dict[str, Any]) -> None:
    """The bookmark of the state limits the query."""
    state = {"bookmarks": {"users": {"last_sync_time": 15}}}
    run = run_tap({**config, "syncs": [_sync()]}, state=state)
    assert [record["userId"] for record in run.records("users")] == [2]


def test_lookback_shifts_the_query_and_not_the_bookmark(
    run_tap: RunTap, config: dict[str, Any]
) -> None:
    """`lookback_seconds` is subtracted from the rendered time, down to 0."""
    state = {"bookmarks": {"users": {"last_sync_time": 15}}}
    run = run_tap({**config, "syncs": [_sync(lookback_seconds=100)]}, state=state)
    assert len(run.records("users")) == 2
    assert run.of_type("SCHEMA")[0]["schema"]["x-last-sync-time"] == 0


def test_other_state_is_kept(run_tap: RunTap, config: dict[str, Any]) -> None:
    """Other keys of a bookmark and other streams are unchanged."""
    state = {"bookmarks": {"users": {"last_sync_time": 15, "mine": 1}, "other": {"x": [1]}}}
    run = run_tap({**config, "syncs": [_sync()]}, state=state)
    assert run.state is not None
    assert run.state["bookmarks"]["other"] == {"x": [1]}
    assert run.state["bookmarks"]["users"]["mine"] == 1


def test_failing_sync_leaves_the_others_running(run_tap: RunTap, config: dict[str, Any]) -> None:
    """One sync fails and keeps its bookmark; the other moves; the run exits 3."""
    syncs = [_sync("broken", "SELECT nothing FROM retl_test_users"), _sync("users")]
    state = {"bookmarks": {"broken": {"last_sync_time": 7}}}
    run = run_tap({**config, "syncs": syncs}, state=state)
    assert run.exit_code == 3
    assert "sync=broken failed: SQL Server error 207: Invalid column name 'nothing'" in run.log
    assert run.state is not None
    assert run.state["bookmarks"]["broken"] == {"last_sync_time": 7}
    assert run.state["bookmarks"]["users"]["last_sync_time"] > 7


@pytest.mark.parametrize("reader", ["arrow", "odbc"])
def test_error_after_the_rows_moves_no_bookmark(
    run_tap: RunTap, config: dict[str, Any], server: SqlServer, reader: str
) -> None:
    """An error after the last row fails the sync."""
    server.faults.add(_LateError(matching="AS userId"))
    run = run_tap({**config, "reader": reader, "syncs": [_sync()]})
    assert (run.exit_code, len(run.records("users"))) == (3, 2)
    assert run.state == {"bookmarks": {}}


def test_sync_that_is_not_due_is_skipped(run_tap: RunTap, config: dict[str, Any]) -> None:
    """A sync that is not due sends nothing and keeps its bookmark."""
    bookmark = {"last_sync_time": int(time.time()) - 100}
    state = {"bookmarks": {"users": bookmark}}
    run = run_tap({**config, "syncs": [_sync(frequency="1h")]}, state=state)
    assert (run.exit_code, run.of_type("SCHEMA")) == (0, [])
    assert run.state == state
    assert "sync=users skipped: not due yet" in run.log


def test_disabled_sync_does_not_run(run_tap: RunTap, config: dict[str, Any]) -> None:
    """A sync with `enabled: false` does not run."""
    run = run_tap({**config, "syncs": [_sync(enabled=False)]})
    assert (run.exit_code, run.messages) == (0, [])


def test_discovery_agrees_with_a_run(run_tap: RunTap, config: dict[str, Any]) -> None:
    """`--discover` describes the columns without running the query, as a run would."""
    config = {**config, "syncs": [_sync()]}
    (catalog,) = run_tap(config, "--discover").messages
    (schema,) = run_tap(config).of_type("SCHEMA")
    assert catalog["streams"][0]["schema"]["properties"] == schema["schema"]["properties"]


def test_stream_maps_apply(run_tap: RunTap, config: dict[str, Any]) -> None:
    """The SDK's stream maps work, record by record."""
    maps = {"users": {"userId": "userId", "double": "userId * 2", "__else__": None}}
    run = run_tap({**config, "syncs": [_sync()], "stream_maps": maps})
    assert run.records("users")[0] == {"userId": 1, "double": 2}


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ("id, id", '"id" and "id" cannot be in the same result'),
        ("id AS userId, email AS UserID", '"userId" and "UserID" cannot be in the same result'),
        ("id + 1", "Column 1 has no name"),
    ],
)
def test_unusable_columns_are_refused(
    run_tap: RunTap, config: dict[str, Any], columns: str, message: str
) -> None:
    """Duplicate, unnamed and case-colliding columns fail the sync before any record."""
    run = run_tap({**config, "syncs": [_sync(query=f"SELECT {columns} FROM retl_test_users")]})
    assert (run.exit_code, run.messages) == (3, [])
    assert message in run.log


@pytest.mark.parametrize("reader", ["arrow", "odbc"])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"password": "wrong-canary"}, "error 18456: Login failed for user"),
        ({"database": "nowhere"}, "that the login may open"),
    ],
)
def test_failed_login_says_what_to_check(
    run_tap: RunTap, config: dict[str, Any], reader: str, change: dict[str, str], message: str
) -> None:
    """A wrong password or database exits 3, names what to check, and shows no password."""
    run = run_tap({**config, **change, "reader": reader, "syncs": [_sync()]})
    assert run.exit_code == 3
    assert message in run.log
    assert "canary" not in run.log


def test_unreachable_server_exits_3(run_tap: RunTap, config: dict[str, Any]) -> None:
    """The message names the unreachable server and what to check."""
    nowhere = {"host": "127.0.0.1", "port": 1, "login_timeout_seconds": 1}
    run = run_tap({**config, **nowhere, "reader": "odbc", "syncs": [_sync()]})
    assert run.exit_code == 3
    assert f"Cannot connect to 127.0.0.1:1, database {config['database']}." in run.log


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ("", "invalid JSON"),
        ('{"bookmarks": {"users": {"last_sy', "invalid JSON"),
        ("[]", "is not a JSON object"),
        ({"bookmarks": {"users": {"last_sync_time": "0; DROP"}}}, "whole number of seconds"),
        (
            {"bookmarks": {"users": {"last_sync_time": 32_503_680_000}}},
            "s after the server's clock",
        ),
    ],
)
def test_unusable_state_is_refused(
    run_tap: RunTap, config: dict[str, Any], state: object, message: str
) -> None:
    """A corrupt, hostile or future bookmark exits 2, and no row is read."""
    run = run_tap({**config, "syncs": [_sync()]}, state=state)
    assert (run.exit_code, run.of_type("RECORD")) == (2, [])
    assert message in run.log


def test_configuration_problems_exit_2(run_tap: RunTap, config: dict[str, Any]) -> None:
    """All problems of the configuration are reported, without connecting."""
    syncs = [_sync(query="SELECT {{x}}"), _sync("b", timezone="Mars")]
    run = run_tap({**config, "port": "x", "syncs": syncs})
    assert (run.exit_code, run.messages) == (2, [])
    assert all(part in run.log for part in ("`port`", "{{x}}", "`timezone`"))


def test_state_that_was_given_is_the_first_message(run_tap: RunTap, config: dict[str, Any]) -> None:
    """A target knows each bookmark before the first record; only a backfill sends no empty one."""
    bookmark = {"last_sync_time": 15}
    config = {**config, "syncs": [_sync("a"), _sync("b")]}

    first = run_tap(config).messages
    second = run_tap(config, state={"bookmarks": {"b": bookmark}}).messages
    backfill = run_tap(config, "--since", "5").messages

    assert first[0] == {"type": "STATE", "value": {"bookmarks": {}}}
    assert second[0] == {"type": "STATE", "value": {"bookmarks": {"b": bookmark}}}
    assert [m["type"] for m in first].count("STATE") == 3
    assert all(message["type"] != "STATE" for message in backfill)


def test_discovery_survives_a_sync_that_cannot_be_described(
    run_tap: RunTap, config: dict[str, Any], tmp_path: Path
) -> None:
    """The others are listed and delivered with that catalog; the run exits as the failed one."""
    syncs = [
        _sync("broken", "SELECT emial FROM retl_test_users"),
        _sync("disabled", "SELECT nope FROM retl_test_users", enabled=False),
        _sync("elsewhere", database="off"),
        _sync("users"),
    ]
    config = {**config, "databases": {"off": {**config, "port": 1}}, "syncs": syncs}

    found = run_tap(config, "--discover")
    (tmp_path / "catalog.json").write_text(json.dumps(found.messages[0]))
    run = run_tap(config, "--catalog", str(tmp_path / "catalog.json"))

    columns = {s["stream"]: s["schema"]["properties"] for s in found.messages[0]["streams"]}
    assert (found.exit_code, run.exit_code) == (0, 3)
    assert "sync=broken cannot be described: SQL Server error 207" in found.log
    assert {name: bool(names) for name, names in columns.items()} == {
        "broken": False,
        "disabled": False,
        "elsewhere": False,
        "users": True,
    }
    assert len(run.records("users")) == 2
    assert "2 syncs failed and keep their bookmarks: broken, elsewhere." in run.log


def test_catalog_without_the_columns_of_a_sync_sends_none_of_them(
    run_tap: RunTap, config: dict[str, Any], tmp_path: Path
) -> None:
    """Columns that the user excluded must not go out because a discovery failed."""
    broken = {**config, "syncs": [_sync("a", "SELECT nope FROM retl_test_users"), _sync("b")]}
    catalog = run_tap(broken, "--discover").messages[0]
    (tmp_path / "catalog.json").write_text(json.dumps(catalog))

    run = run_tap(
        {**config, "syncs": [_sync("a"), _sync("b")]}, "--catalog", str(tmp_path / "catalog.json")
    )

    assert (run.exit_code, run.records("a"), len(run.records("b"))) == (2, [], 2)
    assert "Run the discovery again" in run.log


def test_sync_without_an_entry_in_the_catalog_fails_alone(
    run_tap: RunTap, config: dict[str, Any], tmp_path: Path
) -> None:
    """A catalog that lacks a sync does not end the run when the sync cannot be described."""
    catalog = run_tap({**config, "syncs": [_sync("b")]}, "--discover").messages[0]
    (tmp_path / "catalog.json").write_text(json.dumps(catalog))
    syncs = [_sync("a", "SELECT nope FROM retl_test_users"), _sync("b")]

    run = run_tap({**config, "syncs": syncs}, "--catalog", str(tmp_path / "catalog.json"))

    assert (run.exit_code, len(run.records("b"))) == (3, 2)


@pytest.mark.parametrize("reader", ["arrow", "odbc"])
def test_unreachable_database_is_tried_once(
    run_tap: RunTap, config: dict[str, Any], reader: str
) -> None:
    """Its three syncs fail at once, with one message."""
    nowhere = {"host": "127.0.0.1", "port": 1, "reader": reader}
    started = time.monotonic()
    run = run_tap({**config, **nowhere, "syncs": [_sync(name) for name in "abc"]})
    assert run.exit_code == 3
    assert time.monotonic() - started < 15
    assert run.log.count("The connection is refused") == 1
    assert "3 syncs failed and keep their bookmarks: a, b, c." in run.log


@pytest.mark.parametrize("reader", ["arrow", "odbc"])
@pytest.mark.parametrize("change", [{"password": "x"}, {"database": "nowhere"}])
def test_refused_login_is_tried_once(
    run_tap: RunTap, config: dict[str, Any], reader: str, change: dict[str, str]
) -> None:
    """Three syncs make one failed login: more would lock the account."""
    syncs = [_sync(name) for name in "abc"]
    run = run_tap({**config, **change, "reader": reader, "syncs": syncs})
    assert (run.exit_code, run.log.count("Cannot connect to")) == (3, 1)
    assert "Trying again" not in run.log


def test_start_now_moves_the_bookmark_and_reads_nothing(
    run_tap: RunTap, config: dict[str, Any]
) -> None:
    """`--start-now` moves the bookmark of its sync only; the others run."""
    before = int(time.time()) - CLOCK_SKEW_SECONDS
    config = {**config, "syncs": [_sync("a", frequency="1d"), _sync("b")]}
    run = run_tap(config, "--start-now", "a")
    assert (run.exit_code, run.records("a"), len(run.records("b"))) == (0, [], 2)
    assert run.state is not None
    assert run.state["bookmarks"]["a"]["last_sync_time"] >= before


def test_first_run_says_how_many_calls_it_sends(run_tap: RunTap, config: dict[str, Any]) -> None:
    """`partition_rows` counts the rows, so their number is known; a later run is silent."""
    sync = _sync(partition_column="userId", partition_rows=1)
    first = run_tap({**config, "syncs": [sync]})
    later = run_tap(
        {**config, "syncs": [sync]}, state={"bookmarks": {"users": {"last_sync_time": 15}}}
    )
    assert "sync=users is about to send 2 calls in its first run" in first.log
    assert "is about to send" not in later.log


def test_environment_variable_that_cannot_be_read_is_named(
    run_tap: RunTap, config: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Invalid JSON names the variable, line and column, and shows nothing of the value."""
    monkeypatch.setenv("TAP_MSSQL_QUERY_SYNCS", '[{"name":\n canary}]')
    run = run_tap(config, "--config", "ENV")
    assert run.exit_code == 2
    assert "TAP_MSSQL_QUERY_SYNCS cannot be read: invalid JSON at line 2, column 2" in run.log
    assert "canary" not in run.log


def test_bug_fails_its_sync_alone(
    run_tap: RunTap, config: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An exception that nobody foresaw ends one sync; the others run, and the run exits 1."""
    (tmp_path / "sitecustomize.py").write_text(_BUG)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    run = run_tap({**config, "syncs": [_sync("a"), _sync("b")]})
    assert (run.exit_code, run.records("a"), len(run.records("b"))) == (1, [], 2), run.log
    assert "sync=a failed: OverflowError at" in run.log
    assert "canary" not in run.log
