from __future__ import annotations

import contextlib
import io
import json
import random
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from target_pipelines.api.errors import PipelinesError
from target_pipelines.run.runner import Runner
from tests.target.conftest import lines, record, schema, state
from tests.target.run.failing_streams import Plan, judge

SEEDS = range(4)


class _Pieces(io.BytesIO):
    """An input that arrives in pieces of random sizes."""

    def __init__(self, text: bytes, rng: random.Random) -> None:
        super().__init__(text)
        self._rng = rng

    def read(self, _: int | None = -1) -> bytes:
        return super().read(self._rng.choice([50, 300, 5_000]))


def _run_here(config: dict[str, Any], source: _Pieces) -> tuple[int, list[Any]]:
    """Exit code and states of a run in this process."""
    exit_code = 0
    with contextlib.redirect_stdout(io.StringIO()) as output:
        try:
            Runner(config).deliver(source)
        except PipelinesError as error:
            exit_code = error.exit_code
    return exit_code, [json.loads(line) for line in output.getvalue().splitlines()]


def _delivered(path: Path) -> list[int]:
    calls = path.read_bytes().splitlines() if path.exists() else []
    return [json.loads(call)["traits"]["n"] for call in calls]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 3))
def test_each_stream_fails_alone(seed, destinations):
    """Good streams miss no row; the bookmark of a failed one stays, and it leaves no letters."""
    rng = random.Random(seed)
    plan = Plan(rng)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        names = [f"d{number}" for number in range(destinations)]
        files = [
            {"destination": "file", "name": own, "output_path": str(folder / f"{own}.jsonl")}
            for own in names
        ]
        config = {
            "destinations": files,
            "dead_letter_path": str(folder / "dead.jsonl"),
            "report_path": str(folder / "report.json"),
            "batch_max_calls": rng.choice([1, 3, 100]),
        }

        exit_code, states = _run_here(config, _Pieces(plan.text, rng))

        assert exit_code == plan.exit_code
        report = json.loads((folder / "report.json").read_text())
        for own in names:
            letters = folder / f"dead.{own}.jsonl"
            entry = report["destinations"][own] if destinations > 1 else report
            judge(plan, states, _delivered(folder / f"{own}.jsonl"), letters, entry)


@pytest.mark.parametrize("seed", SEEDS)
def test_each_stream_fails_alone_in_two_processes(collector, config, run_target, tmp_path, seed):
    """The same with worker processes and an API that is busy at times."""
    rng = random.Random(seed)
    plan = Plan(rng)
    collector.script([{"status": 503, "probability": 0.3, "seed": seed, "times": 5}])
    config |= {"processes": 2, "report_path": str(tmp_path / "report.json"), "batch_max_calls": 3}

    run = run_target(config, [message.decode() + "\n" for message in plan.text.splitlines()])

    assert run.exit_code == plan.exit_code, run.log
    report = json.loads((tmp_path / "report.json").read_text())
    delivered = [call.body["traits"]["n"] for call in collector.calls]
    judge(plan, run.states, delivered, Path(config["dead_letter_path"]), report)


GIVEN = {"type": "STATE", "value": {"bookmarks": {"good": {"last_sync_time": 1}}}}
MOVED = {"good": {"last_sync_time": 2}, "bad": {"last_sync_time": 2}}
GOOD = [schema("good", "identify"), *(record("good", userId=n) for n in range(30))]


def _with_bad(*messages: dict[str, Any]) -> list[dict[str, Any]]:
    return [GIVEN, *messages, *GOOD, {"type": "STATE", "value": {"bookmarks": MOVED}}]


@pytest.mark.parametrize("processes", [1, 2])
def test_misspelt_type_fails_its_own_stream(collector, config, run_target, processes):
    """The others are delivered, and their bookmarks move."""
    bad = [schema("bad", "identfy"), *(record("bad", userId=n) for n in range(400))]

    run = run_target({**config, "processes": processes}, _with_bad(*bad))

    assert run.exit_code == 2
    assert run.states[-1] == {"bookmarks": {"good": MOVED["good"]}}
    assert len(collector.calls) == 30
    assert '"identfy"' in run.log


@pytest.mark.parametrize("processes", [1, 2])
def test_too_many_rejected_fail_their_own_stream(collector, config, run_target, processes):
    """They leave no dead letters, however often the run is repeated."""
    bad = [schema("bad", "identify"), *(record("bad", userId=None) for _ in range(300))]
    config = {**config, "processes": processes}

    run_target(config, _with_bad(*bad))
    run = run_target(config, _with_bad(*bad))

    assert (run.exit_code, run.dead_letters) == (5, [])
    assert run.states[-1] == {"bookmarks": {"good": MOVED["good"]}}
    assert {call.body["userId"] for call in collector.calls} == {str(n) for n in range(30)}


def test_refused_key_leaves_no_dead_letters(config, run_target):
    """Rows of a run that stops are read again."""
    bad = [schema("bad", "identify"), record("bad", userId=None), record("bad", userId=1)]

    run = run_target({**config, "write_key": "wrong"}, _with_bad(*bad))

    assert (run.exit_code, run.dead_letters) == (4, [])


def test_unwritable_dead_letters_fail_their_stream(collector, config, run_target, tmp_path):
    """A stream without rejected rows does not need the file."""
    bad = [schema("bad", "identify"), record("bad", userId=None)]
    config = {**config, "dead_letter_path": str(tmp_path / "none" / "dead_letters.jsonl")}

    run = run_target(config, _with_bad(*bad))

    assert run.exit_code == 4
    assert run.states[-1] == {"bookmarks": {"good": MOVED["good"]}}
    assert len(collector.calls) == 30


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("call_type", ["identify", "track"])
def test_dead_letter_names_the_row(collector, config, run_target, call_type, processes):
    """It has the key columns and the position, whoever rejected the row."""
    collector.script([{"status": 400, "contains": "poison", "times": None}])
    keyed = {**schema("s", call_type), "key_properties": ["n"]}
    rows: list[dict[str, Any]] = [
        {"userId": 1, "event": "Bought", "n": 7},
        {"userId": None, "event": "Bought", "n": 8},
        {"userId": "poison", "event": "Bought", "n": 9},
    ]

    messages = [keyed, *(record("s", **row) for row in rows)]

    run = run_target({**config, "processes": processes}, messages)

    found = [(each["kind"], each["key"], each["position"]) for each in run.dead_letters]
    assert sorted(found) == [("destination", {"n": 9}, 2), ("query", {"n": 8}, 1)]
    assert "--resync s" in run.log
    assert f"--replay {config['dead_letter_path']}" in run.log


LEAVING = """
import sys
from target_pipelines import ID, CallType, call_schema, hookimpl

def build(call):
    if call["userId"] == "3":
        raise {exception}
    return call

LEAVE = CallType(
    name="leave",
    summary="ends the program",
    sends_as="identify",
    schema=call_schema({{"userId": ID}}, required=["userId"]),
    build=build,
)

@hookimpl
def register_call_types(register):
    register(LEAVE)
"""


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize(
    "exception", ["SystemExit(0)", "KeyboardInterrupt", "BaseException('c4n4ry')"]
)
def test_plugin_cannot_end_the_program(run_target, tmp_path, exception, processes):
    """Its row is a dead letter, like that of any other exception; no text of it is shown."""
    about = tmp_path / "leaving-1.0.dist-info"
    about.mkdir()
    (tmp_path / "leaving.py").write_text(LEAVING.format(exception=exception))
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: leaving\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[target_pipelines]\nleaving = leaving\n")
    calls, letters = tmp_path / "calls.jsonl", tmp_path / "dead_letters.jsonl"
    config = {"output_path": str(calls), "dead_letter_path": str(letters), "processes": processes}
    messages = [schema("s", "leave"), *(record("s", userId=n) for n in range(5)), state(1)]

    run = run_target(config, messages, environment={"PYTHONPATH": str(tmp_path)})

    assert run.exit_code == 0, run.log
    assert len(calls.read_text().splitlines()) == 4
    (letter,) = run.dead_letters
    assert (letter["key"], letter["record"]["userId"], letter["kind"]) == (None, 3, "settings")
    assert "c4n4ry" not in run.log + letters.read_text()


@pytest.mark.parametrize("end", ["", "\n"])
def test_all_rows_of_a_failed_stream_are_counted(collector, config, run_target, tmp_path, end):
    """The last one, too, if its line has no line break."""
    config |= {"report_path": str(tmp_path / "report.json")}
    rows = lines([record("s", userId=number) for number in range(9)])

    run = run_target(config, [state(0), schema("s", "identfy"), rows.removesuffix("\n") + end])

    assert run.exit_code == 2
    entry = json.loads((tmp_path / "report.json").read_text())["streams"]["s"]
    assert (entry["read"], entry["discarded"]) == (9, 9)
