"""Calls about one person arrive in the order of their rows, also where an alias names two."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from typing import Any

import pytest

from tests.target.conftest import record, schema, state

IDS = "abcdefg"
BUSY = {"status": 503, "times": None, "headers": {"Retry-After": "0"}}


def _messages(rng: random.Random, count: int, *, is_mixed: bool) -> list[dict[str, Any]]:
    """Rows of four streams about a few people, in runs of one stream or mixed."""
    messages = [schema("people", "identify"), schema("seen", "track")]
    messages += [schema("merged", "alias"), schema("merged_too", "alias")]
    stream = "people"
    for number in range(count):
        if is_mixed or rng.random() < 0.1:
            stream = rng.choice(["people", "seen", "merged", "merged", "merged_too"])
        columns: dict[str, Any] = {"userId": rng.choice(IDS), "messageId": f"m{number}"}
        if stream.startswith("merged"):
            columns["previousId"] = rng.choice(IDS)
        elif stream == "seen":
            columns["event"] = "e"
        messages.append(record(stream, **columns))
    return [*messages, state(1)]


def _arrivals(calls) -> dict[str, list[int]]:
    """The numbers of the rows about each person, in the order of their calls."""
    found = defaultdict(list)
    for call in calls:
        body = json.loads(call.raw)
        for person in {body["userId"], body.get("previousId", body["userId"])}:
            found[person].append(int(body["messageId"][1:]))
    return found


@pytest.mark.parametrize(
    ("processes", "is_mixed", "count"),
    [(1, True, 50), (1, False, 150), (2, True, 40), (2, False, 100)],
)
def test_aliases_and_calls_about_both_people_keep_their_order(
    collector, config, run_target, processes, is_mixed, count
):
    """With a busy API, many lanes and small batches, in any mixture of streams."""
    settings = {**config, "concurrency": 6, "batch_max_calls": 2, "processes": processes}
    collector.script([{**BUSY, "probability": 0.25}])

    run = run_target(settings, _messages(random.Random(count), count, is_mixed=is_mixed))

    assert (run.exit_code, run.states, run.dead_letters) == (0, [state(1)["value"]], [])
    assert len(collector.calls) == count
    for person, numbers in _arrivals(collector.calls).items():
        assert numbers == sorted(numbers), person


PAIRS = [
    schema("people", "identify"),
    *(record("people", userId=f"old{n}", messageId=f"m{2 * n}") for n in range(8)),
    schema("merged", "alias"),
    *(
        record("merged", userId=f"new{n}", previousId=f"old{n}", messageId=f"m{2 * n + 1}")
        for n in range(8)
    ),
    state(1),
]


def _check_pairs(calls) -> None:
    arrived = _arrivals(calls)
    assert len(calls) == 16
    for number in range(8):
        assert arrived[f"old{number}"] == [2 * number, 2 * number + 1]


@pytest.mark.parametrize("processes", [1, 2])
def test_alias_waits_for_its_former_id(collector, config, run_target, processes):
    """While the API is busy with the former id, the alias does not overtake it."""
    collector.script([{**BUSY, "contains": "identify", "probability": 0.5}])

    run = run_target({**config, "concurrency": 6, "processes": processes}, PAIRS)

    assert run.exit_code == 0
    _check_pairs(collector.calls)


def test_replayed_alias_keeps_its_order(collector, config, run_target, tmp_path):
    """Letters of an alias stream are sent again in order as well."""
    collector.script([{"status": 400, "times": None}])
    settings = {**config, "max_rejected_ratio": 1, "concurrency": 6}
    assert len(run_target(settings, PAIRS).dead_letters) == 16
    collector.script([{**BUSY, "contains": "identify", "probability": 0.5}])

    run = run_target(settings, [], "--replay", str(tmp_path / "dead_letters.jsonl"))

    assert run.exit_code == 0
    _check_pairs(collector.calls)
