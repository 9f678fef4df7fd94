"""Renamed syncs, as pure functions and as their user runs them."""

from __future__ import annotations

from typing import Any

from tap_mssql_query.settings.model import parse_settings
from tap_mssql_query.sql.template import fingerprint_of
from tap_mssql_query.sync.renames import carry_over, find_missed_renaming, former_name_of

QUERY = "SELECT id AS userId, email FROM retl_test_users WHERE last_updated >= {{last_sync_time}}"


def _sync(name: str = "new", **settings: Any) -> dict[str, Any]:
    return {"name": name, "type": "identify", "query": QUERY, **settings}


def _parse(*syncs: dict[str, Any]) -> Any:
    return parse_settings({"host": "h", "syncs": list(syncs)}).syncs


def _state(**bookmarks: Any) -> dict[str, Any]:
    return {"bookmarks": bookmarks}


def test_bookmark_is_carried_over():
    """The former name's entry becomes the new one's, whatever it holds."""
    syncs = _parse(_sync(renamed_from="old"))
    state = carry_over(_state(old={"last_sync_time": 7, "other": 1}, else_={"x": 1}), syncs)

    assert state["bookmarks"].keys() == {"new", "else_"}
    assert state["bookmarks"]["new"].items() >= {"last_sync_time": 7, "other": 1}.items()
    assert former_name_of(syncs[0], state) == "old"


def test_own_bookmark_wins():
    """A sync that has run under its new name goes on from there."""
    state = _state(old={"last_sync_time": 7}, new={"last_sync_time": 9})

    assert carry_over(state, _parse(_sync(renamed_from="old"))) == state


def test_ids_keep_the_first_name():
    """Also after a second renaming, and when the setting is removed."""
    (second,) = _parse(_sync("second", renamed_from="first"))
    (third,) = _parse(_sync("third", renamed_from="second"))
    (unset,) = _parse(_sync("third"))
    state = carry_over(carry_over(_state(first={"last_sync_time": 7}), [second]), [third])

    assert former_name_of(third, state) == former_name_of(unset, state) == "first"
    assert former_name_of(unset, {}) is None


def test_missed_renaming_is_found():
    """Only if the query is the same, the old sync is gone, and the new one has not run."""
    old = {"last_sync_time": 7, "query_fingerprint": fingerprint_of(QUERY)}
    syncs = _parse(_sync())

    problem = find_missed_renaming(syncs[0], syncs, _state(old=old))

    assert problem is not None
    assert 'Was it renamed? Then set `renamed_from` to "old"' in problem
    both = _parse(_sync(), _sync("old"))
    assert find_missed_renaming(both[0], both, _state(old=old)) is None
    assert find_missed_renaming(syncs[0], syncs, _state(old=old, new=old)) is None
    other = {**old, "query_fingerprint": "x"}
    assert find_missed_renaming(syncs[0], syncs, _state(old=other)) is None
    assert find_missed_renaming(syncs[0], syncs, {}) is None


def test_renamed_sync_goes_on(config, run_tap):
    """Nothing is read twice, the SCHEMA names the former sync, and its bookmark is replaced."""
    first = run_tap({**config, "syncs": [_sync("old")]})

    second = run_tap({**config, "syncs": [_sync(renamed_from="old")]}, state=first.state)

    (schema,) = second.of_type("SCHEMA")
    assert schema["schema"]["x-renamed-from"] == "old"
    began = first.state["bookmarks"]["old"]["last_sync_time"]
    assert schema["schema"]["x-last-sync-time"] == began
    assert second.records("new") == []
    assert second.state["bookmarks"].keys() == {"new"}


def test_missed_renaming_is_pointed_out(config, run_tap):
    """The run warns and goes on; so does --check with --state."""
    first = run_tap({**config, "syncs": [_sync("old")]})
    renamed = {**config, "syncs": [_sync()]}

    run = run_tap(renamed, state=first.state)

    assert run.exit_code == 0
    assert len(run.records("new")) == 2
    assert "Was it renamed? Then set `renamed_from`" in run.log


def test_schema_says_when_the_run_began(config, run_tap):
    """`x-sync-time` is the server's clock, also in a backfill that ends earlier."""
    sync = _sync(query=f"{QUERY} AND last_updated < {{{{sync_time}}}}")

    run = run_tap({**config, "syncs": [sync]})
    backfill = run_tap({**config, "syncs": [sync]}, "--since", "5", "--until", "15")

    began = run.of_type("SCHEMA")[0]["schema"]["x-sync-time"]
    assert began == run.state["bookmarks"]["new"]["last_sync_time"]
    assert backfill.of_type("SCHEMA")[0]["schema"]["x-sync-time"] >= began
