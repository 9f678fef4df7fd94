"""Random inputs in which streams fail, and what any run over one must have done."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from program_kit.exit_codes import worst_exit_code
from tests.target.conftest import record, schema

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

MAX_WINDOWS = 3


@dataclass(frozen=True)
class Fault:
    """How a stream fails: its exit code, and the messages at that place."""

    exit_code: int
    messages: Callable[[str], list[dict[str, Any]]]
    at_schema: bool = False


def _schema(**changes: Any) -> Callable[[str], list[dict[str, Any]]]:
    return lambda stream: [{**schema(stream, "identify"), **changes}]


def _described(stream: str, **keywords: Any) -> list[dict[str, Any]]:
    message = schema(stream, "identify")
    message["schema"].update(keywords)
    return [message]


FAULTS: Mapping[str, Fault] = {
    "unknown call type": Fault(2, lambda s: [schema(s, "identfy")], at_schema=True),
    "no call type": Fault(2, lambda s: [schema(s, None)], at_schema=True),
    "call type is a number": Fault(2, lambda s: _described(s, **{"x-call-type": 7}), True),
    "no properties": Fault(4, lambda s: _described(s, properties=[]), at_schema=True),
    "schema is text": Fault(4, _schema(schema="text"), at_schema=True),
    "keys are no list": Fault(4, _schema(key_properties="n"), at_schema=True),
    "no schema": Fault(4, lambda _: [], at_schema=True),
    "later unknown call type": Fault(2, lambda s: [schema(s, "identfy")]),
    "no key": Fault(4, lambda s: [{**record(s, userId=1), "_": "row"}]),
    "too many rejected": Fault(5, lambda s: [record(s, userId=None, n=-1)] * 15),
}


@dataclass
class StreamPlan:
    """What is sent of a stream.

    Attributes:
        fault: how it fails; None if it does not.
        failed_in: the window, counted from 1, in which it does.
        rows: the number of each valid row, by window.
        read: how many RECORDs there are.
    """

    fault: Fault | None = None
    failed_in: int = 0
    rows: dict[int, int] = field(default_factory=dict)
    bad: set[int] = field(default_factory=set)
    read: int = 0


class Plan:
    """One random input; `given` are the bookmarks that the tap started from."""

    def __init__(self, rng: random.Random) -> None:
        self.streams = {name: StreamPlan() for name in ("a", "b", "c", "d")[: rng.randint(2, 4)]}
        self.given = {name: 0 for name in self.streams if rng.random() < 0.5}
        for plan in self.streams.values():
            if rng.random() < 0.6:
                plan.fault = FAULTS[rng.choice(list(FAULTS))]
        self.messages: list[dict[str, Any]] = []
        self._bookmarks = dict(self.given)
        self._number = 0
        self._add_state()
        parts = [(name, window + 1) for name in self.streams for window in range(MAX_WINDOWS)]
        rng.shuffle(parts)
        done: Counter[str] = Counter()
        for name, _ in parts:
            done[name] += 1
            self._add_window(name, done[name], rng)
            self._bookmarks[name] = done[name]
            if rng.random() < 0.8:
                self._add_state()
        self._add_state()

    def _add_state(self) -> None:
        bookmarks = {name: {"last_sync_time": done} for name, done in self._bookmarks.items()}
        self.messages.append({"type": "STATE", "value": {"bookmarks": bookmarks}})

    def _add_window(self, name: str, window: int, rng: random.Random) -> None:
        plan = self.streams[name]
        fault, keyed = plan.fault, {**schema(name, "identify"), "key_properties": ["n"]}
        fails = (
            fault is not None
            and not plan.failed_in
            and (fault.at_schema or window == MAX_WINDOWS or rng.random() < 0.4)
        )
        if fault and fails:
            plan.failed_in = window
        if fault and fails and fault.at_schema:
            self.messages += fault.messages(name)
        elif window == 1 or rng.random() < 0.5:
            self.messages.append(keyed)
        self._add_rows(name, window, rng.randint(0, 6), rng)
        if fault and fails and not fault.at_schema:
            self._add(fault.messages(name))
            self._add_rows(name, window, rng.randint(0, 3), rng)
        elif fault and fails:
            self._add_rows(name, window, 1, rng)  # without a SCHEMA it fails at its first row

    def _add_rows(self, name: str, window: int, count: int, rng: random.Random) -> None:
        plan = self.streams[name]
        for _ in range(count):
            self._number += 1
            plan.rows[self._number] = window
            is_bad = len(plan.bad) < 5 and rng.random() < 0.15
            if is_bad:
                plan.bad.add(self._number)
            user = None if is_bad else rng.randint(1, 5)
            self._add([record(name, userId=user, n=self._number)])

    def _add(self, messages: Sequence[dict[str, Any]]) -> None:
        self.messages += messages
        for message in messages:
            if message["type"] == "RECORD":
                self.streams[message["stream"]].read += 1

    @property
    def text(self) -> bytes:
        """The input."""
        return b"".join(json.dumps(message).encode() + b"\n" for message in self.messages)

    @property
    def exit_code(self) -> int:
        """The worst of all streams."""
        return worst_exit_code(plan.fault.exit_code for plan in self.streams.values() if plan.fault)


def judge(
    plan: Plan,
    states: Sequence[Mapping[str, Any]],
    delivered: Sequence[int],
    dead_letters: Path,
    report: Mapping[str, Any],
) -> None:
    """Check what one destination got, and the counts. Raises AssertionError."""
    lines = dead_letters.read_bytes().splitlines() if dead_letters.exists() else []
    rejected = [json.loads(line)["record"]["n"] for line in lines]
    assert len(set(rejected)) == len(rejected)
    assert len(set(delivered)) == len(delivered)
    last = states[-1]["bookmarks"] if states else {}
    for name, stream in plan.streams.items():
        known = {value["bookmarks"].get(name, {}).get("last_sync_time") for value in states}
        good = {number for number in stream.rows if number not in stream.bad}
        final = last.get(name, {}).get("last_sync_time", 0)
        covered = {number for number, window in stream.rows.items() if window <= final}
        entry = report["streams"].get(name, {"read": 0})
        assert entry["read"] == stream.read
        assert entry["outcome"] == _outcome(stream)
        counts = ("delivered", "rejected", "filtered", "discarded")
        assert stream.read == sum(entry[count] for count in counts)
        if stream.fault:
            allowed = {None} if name not in plan.given else {0, None} if not states else {0}
            assert known <= allowed | set(range(1, stream.failed_in))
            assert covered & good <= set(delivered)
            assert set(stream.bad) & covered == set(stream.bad) & set(rejected)
            assert set(rejected) & set(stream.rows) <= covered
        else:
            assert final == MAX_WINDOWS
            assert good <= set(delivered)
            assert stream.bad <= set(rejected)
    assert -1 not in rejected


def _outcome(stream: StreamPlan) -> str:
    if stream.fault is None:
        return "delivered"
    return "rejected" if stream.fault.exit_code == 5 else "failed"
