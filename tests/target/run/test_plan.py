"""--plan: the calls and requests of a run, counted without sending anything."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.target.conftest import record, schema, state

COUNTS = ("read", "delivered", "filtered", "rejected", "discarded", "rejected_by_reason")
TOTALS = ("requests", "sent_bytes", "retries")
MESSAGES = [
    schema("users", "identify"),
    *(record("users", userId=n, name="é" * (n % 90)) for n in range(700)),
    record("users", plan="none"),
    schema("orders", "track"),
    *(record("orders", userId=n % 40, event="Order", note="x" * (n % 50)) for n in range(900)),
    *(record("orders", userId=n) for n in range(3)),
    record("orders", userId=1, event="x", _sdc_deleted_at="2026-01-01"),
    schema("merged", "alias"),
    *(record("merged", userId=n, previousId=n + 1) for n in range(50)),
    schema("again", "identify"),
    *(record("again", userId=n) for n in range(60)),
    state(1),
]
SETTINGS = {
    "as it is": {},
    "few calls": {"batch_max_calls": 7},
    "few bytes": {"batch_max_bytes": 3000, "gzip": True},
    "one lane": {"concurrency": 1, "batch_max_calls": 11},
    "processes": {"processes": 2, "batch_max_bytes": 4000},
    "fan-out": {
        "destinations": [
            {"destination": "customerio", "batch_max_calls": 9},
            {"destination": "segment", "concurrency": 3},
        ]
    },
}


def _report(config):
    report = json.loads(Path(config["report_path"]).read_text())
    return report.get("destinations", {"": report})


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=list(SETTINGS))
def test_plan_has_the_numbers_of_the_run(config, run_target, collector, tmp_path, settings):
    """Calls, rejections, bytes and requests: the same lanes, the same batches."""
    config |= {"report_path": str(tmp_path / "report.json"), **settings}

    planned = run_target(config, MESSAGES, "--plan")
    plan = _report(config)
    assert (planned.exit_code, planned.output, planned.dead_letters) == (0, "", []), planned.log
    assert collector.requests == []
    sent = run_target(config, MESSAGES)
    run = _report(config)

    assert sent.exit_code == 0, sent.log
    assert {name: [each[total] for total in TOTALS] for name, each in plan.items()} == {
        name: [each[total] for total in TOTALS] for name, each in run.items()
    }
    for name, destination in run.items():
        for stream, entry in destination["streams"].items():
            found = plan[name]["streams"][stream]
            assert {c: found[c] for c in COUNTS} == {c: entry[c] for c in COUNTS}, stream
    assert len(collector.requests) == sum(each["requests"] for each in run.values())


def test_plan_does_not_wait_for_the_rate_limit(config, run_target):
    """Nothing is sent, so that nothing has to be slow."""
    config |= {"requests_per_second": 1, "batch_max_calls": 10}
    started = time.monotonic()

    run = run_target(config, MESSAGES, "--plan")

    assert run.exit_code == 0
    assert time.monotonic() - started < 60


@pytest.mark.parametrize("option", ["--plan", "--dry-run"])
@pytest.mark.parametrize("processes", [1, 2])
def test_nothing_on_disk_is_touched(run_target, tmp_path, option, processes):
    """Neither the file of the destination, nor the end of a partial line in it."""
    path = tmp_path / "calls.jsonl"
    path.write_text('{"partial')
    config = {"destination": "file", "output_path": str(path), "processes": processes}

    run_target(config, MESSAGES, option)

    assert path.read_text() == '{"partial'
    path.unlink()
    run_target(config, MESSAGES, option)
    assert not path.exists()


def test_too_many_rejected_rows_fail_the_plan_as_the_run(config, run_target):
    """With the same exit code."""
    bad = [schema("bad", "track"), *(record("bad", userId=n) for n in range(20))]

    runs = [run_target(config, bad, *arguments) for arguments in (["--plan"], [])]

    assert [run.exit_code for run in runs] == [5, 5]
