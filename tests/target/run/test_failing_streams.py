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
from tests.target.run.failing_streams import Plan, judge

SEEDS = range(4)


class _Pieces(io.RawIOBase):
    """An input that arrives in pieces of random sizes."""

    def __init__(self, text: bytes, rng: random.Random) -> None:
        self._text = text
        self._rng = rng

    def read(self, _: int = -1) -> bytes:
        count = self._rng.choice([50, 300, 5_000])
        piece, self._text = self._text[:count], self._text[count:]
        return piece


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
    lines = path.read_bytes().splitlines() if path.exists() else []
    return [json.loads(line)["traits"]["n"] for line in lines]


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
