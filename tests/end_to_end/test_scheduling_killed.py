"""Runs that are ended from outside: by a signal, or as when a machine goes down."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time

import pytest

from tests.end_to_end.test_scheduling import (
    BOTH,
    IDENTIFY,
    TRACK,
    assert_nothing_missing,
    engine,
    job,
    settled_state,
    shop,
)

__all__ = ["engine", "job", "settled_state", "shop"]  # fixtures

SIGNALS = {signal.SIGTERM: 143, signal.SIGINT: 130, signal.SIGHUP: 129}


@pytest.mark.parametrize(("number", "exit_code"), SIGNALS.items(), ids=[s.name for s in SIGNALS])
def test_signal_ends_both_programs_and_keeps_what_was_done(
    job, tap_config, target_config, collector, number, exit_code
):
    """A signal to the script alone is enough; what was settled before it is in the state."""
    job.configure(
        {**tap_config, "syncs": [IDENTIFY, TRACK]}, {**target_config, "batch_max_calls": 5}
    )
    collector.script([{"status": 503, "contains": "Ada", "times": None}])
    process = job.start()
    collector.wait_for_requests(3)

    process.send_signal(number)

    done = job.finish(process)
    assert (done.exit_code, set(job.last_sync_times)) == (exit_code, {TRACK["name"]}), done.log


LAST_WORDS = """
trap 'echo "{\\"bookmarks\\":{}}"; exit 143' TERM
while :; do sleep 1; done"""
SLOW_END = """
trap 'sleep 0.5; exit 143' TERM
sleep 0.3
echo started >started
while :; do sleep 1; done"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_state_that_comes_out_after_a_signal_to_all_is_kept(job, number):
    """As when someone presses Ctrl-C: the script waits for both, and for the last state."""
    job.put_program("tap-mssql-query", SLOW_END)
    job.put_program("target-pipelines", LAST_WORDS)
    os.mkfifo(job.folder / "started")
    process = job.start()
    assert (job.folder / "started").read_text() == "started\n"

    os.killpg(process.pid, number)

    assert job.finish(process).exit_code == SIGNALS[number]
    assert job.state_file.read_text() == '{"bookmarks":{}}\n'


SWEPT_KILLS = 16
POINTS = {
    "before the first query": ("tap-mssql-query", "kill -9 0", "old"),
    "after the target's last state": (
        "target-pipelines",
        'PATH=${PATH#*:}; target-pipelines "$@"; kill -9 0',
        "any",
    ),
    "with half a state out": (
        "target-pipelines",
        "head -n 1 >/dev/null; printf '{\"bookmarks\":{'; kill -9 0",
        "old",
    ),
    "before the state is on the disk": ("sync", "kill -9 0", "old"),
    "with a broken state beside the file": ("sync", 'echo broken >"$1"; kill -9 0', "old"),
    "before the state is renamed": ("mv", "kill -9 0", "old"),
    "after a new state is renamed": (
        "mv",
        'PATH=${PATH#*:}; mv "$@"; [ "$(cat "$3")" = "$(cat before.json)" ] || kill -9 0',
        "new",
    ),
}


@pytest.mark.parametrize(("program", "script", "expected"), POINTS.values(), ids=list(POINTS))
def test_killed_at_a_chosen_point(job, shop, collector, settled_state, program, script, expected):
    """The file is the old or a newer state, complete, and the next run sends what is missing."""
    for name in ("state.json", "before.json"):
        (job.folder / name).write_bytes(settled_state)
    before = settled_state
    shop.add(3)
    job.put_program(program, script)

    assert job.run().exit_code == -9

    assert set(job.last_sync_times) == BOTH
    if expected != "any":
        assert (job.state_file.read_bytes() == before) == (expected == "old")
    job.remove_programs()
    assert job.run().exit_code == 0
    assert {call.body["userId"] for call in collector.calls} == {"5", "6", "7"}
    assert set(job.last_sync_times.values()) == {int(shop.now.timestamp())}


def _run_and_kill(job, after_seconds: float) -> float | None:
    """None if the run was killed, otherwise the seconds that it took."""
    began = time.monotonic()
    process = job.start()
    try:
        process.wait(timeout=after_seconds)
    except subprocess.TimeoutExpired:
        return None
    finally:
        job.kill(process)
    return time.monotonic() - began


@pytest.mark.slow
def test_killed_at_any_moment(job, shop, collector):
    """Over many kills, with rows added between them, no state is lost and no row is missed."""
    dice = random.Random(5)
    usual_seconds = _run_and_kill(job, 60)
    assert usual_seconds
    kills, newest = 0, job.last_sync_times

    while kills < SWEPT_KILLS:
        shop.add(20)
        moment = usual_seconds * (0.2 + 0.8 * (kills + dice.random()) / SWEPT_KILLS)
        if took := _run_and_kill(job, moment):
            usual_seconds = took  # the machine has become faster: try this moment again
        else:
            kills += 1
        times = job.last_sync_times
        assert set(times) == BOTH
        assert all(times[sync] >= newest[sync] for sync in BOTH)
        newest = times

    last = job.run()
    assert last.exit_code == 0, last.log
    assert_nothing_missing(collector, shop)
    assert set(job.last_sync_times.values()) == {int(shop.now.timestamp())}


def test_programs_that_outlive_the_script_keep_the_lock(job, shop, collector):
    """If only the shell is killed, the run goes on, keeps its state, and none begins beside it."""
    collector.script([{"status": 503, "times": None}])
    run = job.start()
    collector.wait_for_requests(1)
    run.kill()
    run.wait(timeout=60)

    assert job.run().exit_code == 75
    collector.script([])
    lock = f"{job.state_file}.lock"
    subprocess.run(["flock", lock, "true"], check=True, timeout=60)

    assert set(job.last_sync_times) == BOTH
    assert_nothing_missing(collector, shop)
