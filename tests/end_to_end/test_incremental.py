from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta

import pytest

from sandbox.shop import DATABASE, SYNCS, change_shop, create_shop
from sandbox.sql_server.engine import DuckDBEngine
from tests.end_to_end.conftest import START


@pytest.fixture
def engine(clock) -> DuckDBEngine:
    """The shop with all its rows."""
    engine = DuckDBEngine(clock=clock)
    create_shop(engine)
    return engine


def _calls_by_type(collector) -> Counter[str]:
    return Counter(call.type for call in collector.calls)


def test_second_run_sends_exactly_the_changed_rows(
    engine, clock, tap_config, target_config, run_pipe, collector
):
    """After a first sync only the changes are read, and the bookmarks move."""
    config = {**tap_config, "syncs": [dict(sync) for sync in SYNCS]}
    first = run_pipe(config, target_config)
    assert first.exit_code == 0, first.log
    assert first.states[-1]["bookmarks"].keys() == {sync["name"] for sync in SYNCS}
    assert len(collector.calls) + len(first.dead_letters) > 5000

    clock.now += timedelta(hours=1)
    changed = change_shop(lambda statement: engine.run(DATABASE, statement))
    clock.now += timedelta(hours=1)
    collector.forget()
    second = run_pipe(config, target_config, state=first.states[-1])

    types = {sync["name"]: sync["type"] for sync in SYNCS}
    expected: Counter[str] = Counter()
    for name, rows in changed.items():
        expected[types[name]] += rows
    new_letters = len(second.dead_letters) - len(first.dead_letters)
    assert second.exit_code == 0, second.log
    assert new_letters == 1
    expected["track"] -= new_letters
    assert _calls_by_type(collector) == expected
    times = {b["last_sync_time"] for b in second.states[-1]["bookmarks"].values()}
    assert times == {int((START + timedelta(hours=2)).timestamp())}


def test_run_without_changes_sends_nothing(clock, tap_config, target_config, run_pipe, collector):
    """An hour later, without changes, no row is read."""
    config = {**tap_config, "syncs": [dict(sync) for sync in SYNCS]}
    state = {"bookmarks": {s["name"]: {"last_sync_time": int(START.timestamp())} for s in SYNCS}}
    clock.now += timedelta(hours=1)

    run = run_pipe(config, target_config, state=state)

    assert (run.exit_code, collector.calls) == (0, [])


def test_same_rows_get_the_same_message_ids(tap_config, target_config, run_pipe, collector):
    """A repeated run, as after a crash, sends the same messageIds."""
    config = {**tap_config, "syncs": [dict(SYNCS[0]), dict(SYNCS[1])]}

    run_pipe(config, target_config)
    first = sorted(call.raw for call in collector.calls)
    collector.forget()
    run_pipe(config, target_config)

    assert sorted(call.raw for call in collector.calls) == first
    assert len({json.loads(raw)["messageId"] for raw in first}) == len(first)


def test_rejected_key_moves_no_bookmark(tap_config, target_config, run_pipe, collector):
    """If the API rejects the write key, the run exits with 4 and prints no STATE."""
    config = {**tap_config, "syncs": [dict(SYNCS[0])]}

    run = run_pipe(config, {**target_config, "write_key": "wrong"})

    assert (run.exit_code, run.states, collector.calls) == (4, [], [])
