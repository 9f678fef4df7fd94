"""Streams that fail among good ones: each fails alone, keeps its bookmark, and loses nothing.

A run over a random input (see `stream_plans`), then one over the same rows with the causes mended,
from the last STATE that was printed.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import random
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sandbox.collector import DEFAULT_WRITE_KEY, Behaviour, Collector
from tests.reliability.ledger import REJECTED_TEXT
from tests.reliability.oracle import Verdict
from tests.reliability.registry import Outcome, Soak, SoakRow, run_cases
from tests.reliability.stream_plans import (
    EXIT_CODES,
    MIN_REJECTED,
    REFUSED_BY_ONE_TEXT,
    SECRET,
    Plan,
    Row,
    StreamPlan,
    make_plan,
    mend,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tests.reliability.single_runs import ProgramResult, Programs

FULL_COUNT = 600
_THREADS = 2
SETUPS: Mapping[str, Mapping[str, int]] = {
    "one process": {},
    "two processes": {"processes": 2},
    "two destinations": {"destinations": 2},
    "two destinations, two processes": {"destinations": 2, "processes": 2},
}
Case = tuple[str, int]
"""The name of a setup, and the seed of the input."""


@dataclass(frozen=True, slots=True)
class SeenDestination:
    """What one destination has after a run: calls in the order of their commits, and letters.

    Attributes:
        calls: the id and the body, without the id, of each call.
        dead_letters: the keys of their rows.
        report: stream → counts and outcome.
    """

    calls: Sequence[tuple[str, Mapping[str, Any]]]
    dead_letters: Sequence[str]
    report: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class SeenRun:
    """What was seen of one run; `states` are the printed ones, stream → rows that are covered."""

    states: Sequence[Mapping[str, int]]
    destinations: Sequence[SeenDestination]


# The verdict


def judge_run(plan: Plan, seen: SeenRun, *, begun_at: Mapping[str, int]) -> Verdict:
    """The verdict over one run that began at these bookmarks."""
    verdict = Verdict(premature_states=sum(_went_back(seen.states)))
    last = seen.states[-1] if seen.states else begun_at
    for name, stream in plan.streams.items():
        limit = _most_covered(stream)
        moved = sum(state.get(name, 0) > limit for state in seen.states)
        stayed = stream.way is None and last.get(name, 0) < len(stream.rows)
        verdict += Verdict(premature_states=moved, missing=stayed)
    for number, destination in enumerate(seen.destinations):
        is_last = number == len(seen.destinations) - 1
        verdict += _judge_destination(plan, destination, last, is_last=is_last, begun_at=begun_at)
    return verdict


def _went_back(states: Sequence[Mapping[str, int]]) -> Iterable[bool]:
    """For each STATE, whether a bookmark went back or vanished."""
    for before, after in itertools.pairwise(states):
        yield any(after.get(name, -1) < value for name, value in before.items())


def _most_covered(stream: StreamPlan) -> int:
    """How many rows any STATE may cover: those before the stream fails, else all."""
    if stream.way is None:
        return len(stream.rows)
    if EXIT_CODES[stream.way] != 5:
        return stream.fails_after
    rejected = [row.number for row in stream.rows if row.fate not in ("delivered", "filtered")]
    return rejected[MIN_REJECTED - 1] - 1


def _judge_destination(
    plan: Plan,
    seen: SeenDestination,
    covered: Mapping[str, int],
    *,
    is_last: bool,
    begun_at: Mapping[str, int],
) -> Verdict:
    rows = {row.key: row for stream in plan.streams.values() for row in stream.rows}
    found, newest = Counter[str](), defaultdict[tuple[str, str], int](int)
    delivered, letters = Counter[str](), set(seen.dead_letters)
    for _, body in seen.calls:
        key = str((body.get("traits") or body.get("properties") or {}).get("row_key"))
        row = rows.get(key)
        if row is None or not _may_deliver(plan.streams[row.stream], row, is_last=is_last):
            found["spurious"] += 1
            continue
        delivered[key] += 1
        found["corrupt"] += body != plan.streams[row.stream].body(row)
        # With several processes, streams whose call type has a `build` overtake other streams.
        own = (row.stream, row.person)
        found["out_of_order"] += row.number < newest[own]
        newest[own] = max(newest[own], row.number)
    found["spurious"] += sum(count - 1 for count in delivered.values())
    for row in rows.values():
        stream, has_letter = plan.streams[row.stream], row.key in letters
        is_covered = row.number <= covered.get(row.stream, 0)
        is_due = row.number > begun_at.get(row.stream, 0) and (is_covered or not stream.way)
        outcome = _outcome_of(row, is_last=is_last)
        found["missing"] += is_due and outcome == "delivered" and not delivered[row.key]
        found["missing"] += is_due and outcome == "rejected" and not has_letter
        may_have_letter = outcome == "rejected" and (is_covered or not stream.way)
        found["spurious"] += has_letter and not may_have_letter
    found["spurious"] += len(letters - rows.keys()) + len(seen.dead_letters) - len(letters)
    return Verdict(uncounted=_count_uncounted(plan, seen.report, begun_at), **found)


def _outcome_of(row: Row, *, is_last: bool) -> str:
    """What becomes of a row at a destination, the last of which rejects more than the others."""
    if row.fate in ("delivered", "filtered"):
        return row.fate
    return "delivered" if row.fate == "refused by one" and not is_last else "rejected"


def _may_deliver(stream: StreamPlan, row: Row, *, is_last: bool) -> bool:
    if _outcome_of(row, is_last=is_last) != "delivered":
        return False
    return stream.way is None or EXIT_CODES[stream.way] == 5 or row.number <= stream.fails_after


def _count_uncounted(
    plan: Plan, report: Mapping[str, Mapping[str, Any]], begun_at: Mapping[str, int]
) -> int:
    """RECORDs that the report does not account for."""
    uncounted = 0
    for name in plan.streams:
        entry, records = report.get(name, {}), plan.count_records(name)
        settled = sum(entry.get(k, 0) for k in ("delivered", "filtered", "rejected", "discarded"))
        uncounted += abs(entry.get("read", 0) - records) + abs(records - settled)
    return uncounted


# Runs


class _Runs:
    """Runs over one collector for each destination; a context manager."""

    def __init__(self, programs: Programs, destinations: int, processes: int) -> None:
        self._programs = programs
        self._collectors = [Collector() for _ in range(destinations)]
        self._processes = processes
        self._seen_calls = [0] * destinations
        self._seen_letters = [0] * destinations
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> _Runs:
        for number, collector in enumerate(self._collectors):
            self._stack.enter_context(collector)
            texts = [REJECTED_TEXT]
            texts += [REFUSED_BY_ONE_TEXT] if number == len(self._collectors) - 1 else []
            refusing = [Behaviour(status=400, contains=text, times=None) for text in texts]
            collector.script([*refusing, Behaviour(status=503, probability=0.2, times=4)])
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def run(self, plan: Plan) -> tuple[ProgramResult, SeenRun]:
        """Run over an input; what this run added."""
        done = self._programs.run_target(self._settings(), plan.messages)
        path = self._programs.folder / "report.json"
        report = json.loads(path.read_text()) if path.exists() else {}
        states = [
            {name: mark["last_sync_time"] for name, mark in state["bookmarks"].items()}
            for state in done.messages
        ]
        seen = [self._see(number, report) for number in range(len(self._collectors))]
        path.unlink(missing_ok=True)
        return done, SeenRun(states, seen)

    def _see(self, number: int, report: Mapping[str, Any]) -> SeenDestination:
        bodies = [json.loads(call.raw) for call in self._collectors[number].calls]
        calls = [(str(body.pop("messageId", "")), body) for body in bodies]
        own = report.get("destinations", {}).get(f"d{number}", {}) if self._has_several else report
        path = self._programs.folder / self._dead_letter_file(number)
        lines = path.read_text().splitlines() if path.exists() else []
        letters = [str(json.loads(line)["record"].get("row_key")) for line in lines]
        first_call, first_letter = self._seen_calls[number], self._seen_letters[number]
        self._seen_calls[number], self._seen_letters[number] = len(calls), len(letters)
        return SeenDestination(calls[first_call:], letters[first_letter:], own.get("streams", {}))

    @property
    def _has_several(self) -> bool:
        return len(self._collectors) > 1

    def _dead_letter_file(self, number: int) -> str:
        return f"dead_letters.d{number}.jsonl" if self._has_several else "dead_letters.jsonl"

    def _settings(self) -> dict[str, Any]:
        own = [
            {"destination": "customerio", "endpoint": each.url, "write_key": DEFAULT_WRITE_KEY}
            for each in self._collectors
        ]
        several = [{**entry, "name": f"d{number}"} for number, entry in enumerate(own)]
        return {
            "concurrency": 3,
            "batch_max_calls": 7,
            "requests_per_second": 5000,
            "timeout_seconds": 5,
            "processes": self._processes,
            "report_path": "report.json",
            **({"destinations": several} if self._has_several else own[0]),
        }


def fail_among_good(
    programs: Programs, seed: int, *, destinations: int = 1, processes: int = 1
) -> Outcome:
    """The failing streams fail alone; when they are mended, the next run delivers their rows."""
    plan = make_plan(random.Random(seed), destinations)
    given = {name: 0 for name, stream in plan.streams.items() if stream.is_known}
    with _Runs(programs, destinations, processes) as runs:
        done, seen = runs.run(plan)
        _check_end(plan, done, seen)
        verdict = judge_run(plan, seen, begun_at=given)
        reached = seen.states[-1] if seen.states else given
        mended = mend(plan, reached)
        again, seen_again = runs.run(mended)
        _check_end(mended, again, seen_again)
        verdict += judge_run(mended, seen_again, begun_at=reached)
        verdict += _compare(seen, seen_again)
    return Outcome(bool(plan.failing), verdict)


def _check_end(plan: Plan, done: ProgramResult, seen: SeenRun) -> None:
    """The run has the documented exit code and names each failed stream, but no row's values."""
    assert done.exit_code == plan.exit_code, f"{done.exit_code}, not {plan.exit_code}: {done.log}"
    assert SECRET not in done.log
    assert "Traceback" not in done.log, done.log
    for name in plan.failing:
        assert name in done.log, f"no word of {name}: {done.log}"
    for destination in seen.destinations:
        failed = {n for n, entry in destination.report.items() if entry["outcome"] != "delivered"}
        assert failed == plan.failing, f"{failed}, not {plan.failing} have failed"
        assert all(destination.report[name]["message"] for name in failed)


def _compare(first: SeenRun, second: SeenRun) -> Verdict:
    """Repeats of events in the second run, which must have the ids of the first one."""
    repeats = other_ids = 0
    for before, after in zip(first.destinations, second.destinations, strict=True):
        ids = _event_ids(before)
        for key, own_id in _event_ids(after).items():
            repeats += key in ids
            other_ids += ids.get(key, own_id) != own_id
    return Verdict(repeats=repeats, repeats_with_other_ids=other_ids)


def _event_ids(seen: SeenDestination) -> dict[str, str]:
    return {
        body["properties"]["row_key"]: own_id
        for own_id, body in seen.calls
        if body["type"] == "track"
    }


def soak(soak: Soak) -> Iterable[SoakRow]:
    """Random inputs, in each setup in turn."""
    rng = soak.rng("failing streams")
    names = [*SETUPS] * (FULL_COUNT // len(SETUPS))
    cases = [(name, rng.randrange(10**9)) for name in names]

    def try_case(case: Case) -> Outcome:
        name, seed = case
        return fail_among_good(soak.make_programs(), seed, **SETUPS[name])

    yield run_cases(soak, "failing streams among good ones", cases, try_case, threads=_THREADS)
