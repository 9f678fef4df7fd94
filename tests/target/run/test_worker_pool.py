from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import threading
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from program_kit.exact_json import decode_object
from target_pipelines.api.calls import EncodedCall
from target_pipelines.encoding.ordering_keys import OrderingKeys
from tests.target.conftest import lines, record, schema, state
from tests.target.encoding.test_batch_encoder import (
    NAMES_OF_CALLS,
    PLUGINS,
    _encoder,
    _line,
    _stream,
    _tables,
)


@pytest.fixture
def config(config) -> dict[str, Any]:
    """Settings with three processes."""
    return {**config, "processes": 3, "concurrency": 6}


def _rows(count: int, persons: int = 20) -> list[dict[str, Any]]:
    return [record("s", userId=n % persons, event="e", n=n) for n in range(count)]


def _ids(collector) -> list[str]:
    return sorted(call.message_id for call in collector.calls)


def test_several_processes_deliver_the_same_as_one(collector, config, run_target):
    """Calls, messageIds, states and counts are the same."""
    messages = [schema("s", "track"), *_rows(2000), *_rows(10), state(1)]
    alone = run_target({**config, "processes": 1}, messages)
    expected = _ids(collector)
    collector.forget()

    run = run_target(config, messages)

    assert run.exit_code == 0, run.log
    assert _ids(collector) == expected
    assert len(set(expected)) == 2010
    assert run.states[-1] == alone.states[-1]
    assert "2,010 API calls" in run.log


def test_persons_are_spread_over_all_lanes_of_all_processes(collector, config, run_target):
    """The persons of one process do not share a single lane."""
    rows = [record("s", userId=n, event="e") for n in range(200)]

    run_target({**config, "processes": 2, "concurrency": 4}, [schema("s", "track"), *rows])

    assert len(collector.requests) == 4
    assert min(request.calls for request in collector.requests) > 25


def test_persons_keep_their_order(collector, config, run_target):
    """Despite failures a person's calls arrive in row order."""
    collector.script([{"status": 503, "times": 10, "headers": {"Retry-After": "0"}}])

    run = run_target({**config, "batch_max_calls": 50}, [schema("s", "track"), *_rows(1500)])

    assert run.exit_code == 0, run.log
    by_person = defaultdict(list)
    for call in collector.calls:
        by_person[call.body["userId"]].append(call.body["properties"]["n"])
    assert len(by_person) == 20
    assert all(numbers == sorted(numbers) for numbers in by_person.values())


def test_state_waits_for_all_processes(collector, config, start_target):
    """No state is printed before all processes have settled the calls before it."""
    collector.script([{"status": 503, "headers": {"Retry-After": "2"}}])
    process = start_target(config)
    messages = [schema("s", "track"), *_rows(60), state(1)]
    process.stdin.write("".join(json.dumps(message) + "\n" for message in messages))
    process.stdin.flush()

    first = process.stdout.readline()

    assert json.loads(first) == state(1)["value"]
    assert len(collector.calls) == 60
    process.stdin.close()
    assert process.wait(30) == 0


def test_dead_letters_of_all_processes_are_in_one_file(collector, config, run_target, tmp_path):
    """Each is written once and counted in the report."""
    collector.script([{"status": 400, "contains": "poison", "times": None}])
    poison = [record("s", userId=n, event="poison", n=n) for n in range(9)]
    messages = [schema("s", "track"), *_rows(200), *poison, state(1)]
    config["report_path"] = str(tmp_path / "report.json")

    run = run_target(config, messages)

    assert run.exit_code == 0, run.log
    assert sorted(letter["record"]["n"] for letter in run.dead_letters) == list(range(9))
    entry = json.loads((tmp_path / "report.json").read_text())["streams"]["s"]
    assert (entry["read"], entry["delivered"], entry["rejected"]) == (209, 200, 9)
    assert run.states == [state(1)["value"]]


def test_fatal_response_in_one_process_stops_the_run(collector, config, run_target):
    """After a 401 the exit code is 4, and no state is printed."""
    collector.script([{"status": 401, "times": None}])

    run = run_target(config, [schema("s", "track"), *_rows(300), state(1)])

    assert run.exit_code == 4
    assert run.states == []
    assert 'Destination "customerio" stopped this run' in run.log


BAD = {
    "no schema": (record("t", userId=1), 4, 'Line 62 of the input is a RECORD of stream "t"'),
    "no call type": (schema("t", "nonsense"), 2, 'has the call type "nonsense"'),
}


@pytest.mark.parametrize(("bad", "exit_code", "message"), BAD.values(), ids=list(BAD))
def test_bad_input_is_reported_with_its_line(
    collector, config, run_target, bad, exit_code, message
):
    """The message has the line number of the whole input."""
    run = run_target(config, [schema("s", "track"), *_rows(60), bad, *_rows(5), state(1)])

    assert run.exit_code == exit_code
    assert message in run.log
    assert run.states == []
    assert len(collector.calls) == (60 if exit_code == 4 else len(collector.calls))


def _processes_of(process: Any) -> list[int]:
    """File descriptors of the worker processes, readable when they end."""
    pids = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    assert len(pids) == 3
    return [os.pidfd_open(int(pid)) for pid in pids]


def _all_end(handles: list[int]) -> bool:
    ended = [select.select([handle], [], [], 10)[0] == [handle] for handle in handles]
    for handle in handles:
        os.close(handle)
    return all(ended)


def _start(process: Any, collector: Any) -> list[int]:
    """Keep the processes busy; returns their file descriptors."""
    collector.script([{"status": 503, "times": None}])
    messages = [schema("s", "track"), *_rows(60), state(1)]
    process.stdin.write("".join(json.dumps(message) + "\n" for message in messages))
    process.stdin.flush()
    collector.wait_for_requests(1)
    return _processes_of(process)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_all_processes(collector, config, start_target, number):
    """The exit code names the signal, and no process is left."""
    process = start_target(config)
    workers = _start(process, collector)

    process.send_signal(number)

    assert process.wait(20) == 128 + number
    assert process.stdout.read() == ""
    assert _all_end(workers)


def test_processes_do_not_outlive_a_kill(collector, config, start_target):
    """Workers end with a killed run: its calls must not meet those of the next run."""
    process = start_target(config)
    workers = _start(process, collector)

    process.kill()

    assert _all_end(workers)


def test_processes_send_nothing_after_a_kill(collector, config, start_target):
    """Calls in their lanes are not sent: they could overtake the calls of the next run."""
    collector.script([{"delay_seconds": 0.005, "times": None}])
    process = start_target({**config, "batch_max_calls": 1})
    messages = [schema("s", "track"), *_rows(20_000, 5000)]
    feeder = threading.Thread(target=_feed, args=(process, lines(messages)))
    feeder.start()
    collector.wait_for_requests(200)
    workers = _processes_of(process)

    process.kill()
    sent = len(collector.requests)

    assert _all_end(workers)
    feeder.join()
    assert len(collector.requests) - sent <= 2 * config["concurrency"]


def _feed(process: Any, text: str) -> None:
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(text)


def test_killed_worker_fails_the_run(collector, config, start_target):
    """Its records are not settled, so no state is printed."""
    process = start_target(config)
    workers = _start(process, collector)

    signal.pidfd_send_signal(workers[1], signal.SIGKILL)
    process.stdin.close()

    assert process.wait(20) == 4
    assert process.stdout.read() == ""
    assert "worker-1 process died" in process.stderr.read()
    assert _all_end(workers)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([name for name in NAMES_OF_CALLS if name != "alias"]), _tables())
def test_ordering_keys_are_those_of_the_calls(name, table):
    """A record has the same ordering key as the call that it becomes."""
    types, rows = table
    stream = _stream(PLUGINS.call_types[name], types, frozenset())
    lines = [_line(row) for row in rows]
    encoder = _encoder(stream, "omit")
    calls = [encoder.encode(decode_object(line)["record"], 0, line) for line in lines]

    one_by_one = [OrderingKeys(stream).find(decode_object(line)["record"]) for line in lines]
    together = OrderingKeys(stream).find_all(b"".join(lines)) or one_by_one

    for call, *keys in zip(calls, one_by_one, together, strict=True):
        if isinstance(call, EncodedCall):
            assert keys == [call.ordering_key, call.ordering_key]
