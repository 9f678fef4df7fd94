"""Streams whose bookmarks do not move: the first rows alone, or a window of time."""

from __future__ import annotations

import json

import pytest

from tests.target.conftest import record, schema, state

LIMITED = {"x-sync-time": 7, "x-limit": 3}
MESSAGES = [
    schema("users", "identify", **LIMITED),
    record("users", userId=1),
    record("users", plan="gold"),
    record("users", userId=2),
]


def test_rejected_rows_of_a_limited_stream_leave_no_dead_letters(config, run_target, tmp_path):
    """The next run reads them again; it is delivered, and says so."""
    config |= {"destination": "segment", "report_path": str(tmp_path / "report.json")}

    run = run_target(config, MESSAGES)

    entry = json.loads((tmp_path / "report.json").read_text())["streams"]["users"]
    assert (run.exit_code, run.states, run.dead_letters) == (0, [], [])
    assert (entry["outcome"], entry["delivered"], entry["rejected"]) == ("delivered", 2, 1)
    assert "no dead letters were kept" in entry["message"]
    assert "no dead letters were kept" in run.log
    assert "--resync" not in run.log


def test_limited_stream_that_fails_leaves_the_others_alone(config, run_target, collector):
    """Without a STATE no bookmark has to be put back."""
    other = [schema("other", "identify", **LIMITED), record("other", userId=9)]
    keyed = {**schema("odd", "identify", **LIMITED), "key_properties": ["id"]}

    run = run_target(config, [keyed, record("odd", userId=1), *other])

    assert run.exit_code == 4, run.log
    assert [call.body["userId"] for call in collector.calls] == ["9"]


@pytest.mark.parametrize("first", [[], [state(1)]], ids=["without a state", "with a state"])
@pytest.mark.parametrize("processes", [1, 2])
def test_rejected_rows_of_a_backfill_leave_dead_letters(config, run_target, first, processes):
    """No other run reads them, whatever the tap's first STATE is."""
    window = schema("users", "identify", **{"x-sync-time": 7, "x-backfill": True})
    config |= {"destination": "segment", "processes": processes}

    run = run_target(config, [*first, window, *MESSAGES[1:]])

    assert run.exit_code == 0, run.log
    assert [letter["record"] for letter in run.dead_letters] == [{"plan": "gold"}]
