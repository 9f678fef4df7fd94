from __future__ import annotations

import json
from typing import Any

import pytest

from sandbox.collector import DEFAULT_WRITE_KEY, Collector
from tests.target.conftest import record, schema, state

MESSAGES = [
    schema("s", "track"),
    record("s", userId=1, event="fine"),
    record("s", userId=2, event="poison"),
    record("s", userId=3, event=None),
    state(1),
]


@pytest.fixture
def second():
    """A second API."""
    with Collector() as second:
        yield second


@pytest.fixture
def config(collector, second, tmp_path) -> dict[str, Any]:
    """Settings with three destinations: two APIs and a file."""
    return {
        "write_key": DEFAULT_WRITE_KEY,
        "dead_letter_path": str(tmp_path / "dead_letters.jsonl"),
        "report_path": str(tmp_path / "report.json"),
        "destinations": [
            {"destination": "customerio", "endpoint": collector.url},
            {"destination": "segment", "name": "second", "endpoint": second.url},
            {"destination": "file", "output_path": str(tmp_path / "calls.jsonl")},
        ],
    }


def _dead_letters(tmp_path, name: str) -> list[dict[str, Any]]:
    path = tmp_path / f"dead_letters.{name}.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_every_destination_gets_every_call(collector, second, config, run_target, tmp_path):
    """All destinations get the same calls and messageIds; the state is printed once."""
    run = run_target(config, MESSAGES)

    assert run.exit_code == 0, run.log
    assert run.states == [{"bookmarks": {"s": {"last_sync_time": 1}}}]
    written = [json.loads(line) for line in (tmp_path / "calls.jsonl").read_text().splitlines()]
    assert {call["event"] for call in written} == {"fine", "poison"}
    ids = sorted(call["messageId"] for call in written)
    assert sorted(call.message_id for call in collector.calls) == ids
    assert sorted(call.message_id for call in second.calls) == ids


def test_each_destination_has_its_own_dead_letters(collector, config, run_target, tmp_path):
    """A call that one API rejects is a dead letter there and delivered elsewhere."""
    collector.script([{"status": 400, "contains": "poison", "times": None}])

    run = run_target(config, MESSAGES)

    assert run.exit_code == 0, run.log
    reasons = {
        name: len(_dead_letters(tmp_path, name)) for name in ("customerio", "second", "file")
    }
    assert reasons == {"customerio": 2, "second": 1, "file": 1}
    assert {letter["destination"] for letter in _dead_letters(tmp_path, "second")} == {"second"}


def test_report_counts_each_destination(collector, config, run_target, tmp_path):
    """For each destination, rows read = delivered + rejected + filtered."""
    collector.script([{"status": 400, "contains": "poison", "times": None}])

    run = run_target(config, MESSAGES)

    report = json.loads((tmp_path / "report.json").read_text())["destinations"]
    counts = {
        name: [entry["streams"]["s"][key] for key in ("read", "delivered", "rejected")]
        for name, entry in report.items()
    }
    assert counts == {"customerio": [3, 1, 2], "second": [3, 2, 1], "file": [3, 2, 1]}
    assert "second:" in run.log


def test_state_waits_for_all_destinations(second, config, start_target):
    """No state covers a call before every destination has accepted it."""
    second.script([{"status": 503, "headers": {"Retry-After": "2"}}])
    process = start_target(config)
    process.stdin.write("".join(json.dumps(message) + "\n" for message in MESSAGES))
    process.stdin.close()

    first_state = process.stdout.readline()

    assert json.loads(first_state)["bookmarks"]["s"]["last_sync_time"] == 1
    assert len(second.calls) == 2  # it had them before the state was printed
    assert process.wait(30) == 0


def test_fatal_response_of_one_destination_stops_the_run(second, config, run_target):
    """A 401 exits with 4, the message names the destination, and no state is printed."""
    second.script([{"status": 401, "times": None}])

    run = run_target(config, MESSAGES)

    assert run.exit_code == 4
    assert run.states == []
    assert 'Destination "second" stopped this run' in run.log


def test_replay_goes_to_the_destination_that_rejected(
    collector, second, config, run_target, tmp_path
):
    """The other destinations have the call already and do not get it again."""
    collector.script([{"status": 400, "contains": "poison", "times": None}])
    run_target(config, MESSAGES)
    collector.script([])
    before = len(second.calls)

    run = run_target(config, [], "--replay", str(tmp_path / "dead_letters.customerio.jsonl"))

    assert run.exit_code == 0, run.log
    assert {call.body["event"] for call in collector.calls} == {"fine", "poison"}
    assert len(second.calls) == before
    assert len(_dead_letters(tmp_path, "customerio")) == 1  # the row without an event


def test_replay_of_an_unknown_destination_is_refused(config, run_target, tmp_path):
    """Dead letters of an unknown destination are not sent to another one."""
    path = tmp_path / "old.jsonl"
    dead_letter = {"stream": "s", "call_type": "track", "attempts": 1, "record": None}
    path.write_text(
        json.dumps({**dead_letter, "destination": "gone", "call": {"userId": "1"}}) + "\n"
    )

    run = run_target(config, [], "--replay", str(path))

    assert run.exit_code == 2
    assert "belongs to none of the destinations customerio, second, file" in run.log
    assert path.read_text()


def test_dry_run_names_the_destination(config, run_target, collector):
    """It prints one line per call and destination and sends nothing."""
    run = run_target(config, MESSAGES, "--dry-run")

    lines = [json.loads(line) for line in run.output.splitlines()]
    assert sorted(line["destination"] for line in lines) == sorted(
        ["customerio", "second", "file"] * 2
    )
    assert {line["call"]["event"] for line in lines} == {"fine", "poison"}
    assert collector.calls == []


CHANGING = """
from target_pipelines import ID, CallType, call_schema, hookimpl

def build(call):
    properties = call["properties"]
    properties["detail"]["seen"] = properties["detail"].get("seen", 0) + 1
    properties["tags"].append("built")
    del properties["id"]
    return call

DEED = CallType(
    name="deed",
    summary="changes what it is given",
    sends_as="track",
    schema=call_schema({"userId": ID}, required=["userId"]),
    extra_columns="properties",
    is_event=True,
    build=build,
)

@hookimpl
def register_call_types(register):
    register(DEED)
"""


def test_plugin_that_changes_its_record_changes_no_other_call(run_target, tmp_path):
    """Each destination gets the calls, with the ids, that it would get alone."""
    about = tmp_path / "changing-1.0.dist-info"
    about.mkdir()
    (tmp_path / "changing.py").write_text(CHANGING)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: changing\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[target_pipelines]\nchanging = changing\n")
    keyed = {**schema("s", "deed"), "key_properties": ["id", "detail"]}
    rows: list[dict[str, Any]] = [
        {"detail": {"n": n}, "tags": [], "gone": None, "id": n, "userId": n} for n in range(3)
    ]
    messages = [keyed, *(record("s", **row) for row in rows), state(1)]
    entries = [
        {"destination": "file", "name": name, "null_values": null_values}
        for name, null_values in (("a", "send"), ("b", "omit"), ("c", "send"))
    ]

    def calls_of(*chosen: dict[str, Any]) -> list[list[str]]:
        paths = [tmp_path / f"{entry['name']}-{len(chosen)}.jsonl" for entry in chosen]
        destinations = [
            {**entry, "output_path": str(path)} for entry, path in zip(chosen, paths, strict=True)
        ]
        run = run_target(
            {"destinations": destinations, "dead_letter_path": str(tmp_path / "letters.jsonl")},
            messages,
            environment={"PYTHONPATH": str(tmp_path)},
        )
        assert run.exit_code == 0, run.log
        return [path.read_text().splitlines() for path in paths]

    together = calls_of(*entries)

    assert together == [calls_of(entry)[0] for entry in entries]
    assert all('"seen":1' in call and '"gone"' not in call for call in together[1])
