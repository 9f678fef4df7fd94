"""Faulty connections to the destination; see proxy.py."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from sandbox.collector import DEFAULT_WRITE_KEY, Call, Collector
from tests.reliability.oracle import Verdict
from tests.reliability.proxy import DIRECTIONS, KINDS, Direction, Kind, Proxy, Toxic
from tests.reliability.registry import Outcome, Soak, SoakRow, run_cases

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tests.reliability.single_runs import ProgramResult, Programs

Cell = tuple[Kind, Direction, int]
"""The kind of fault, its direction, and the phase of that direction."""
_ROUNDS = 3
_THREADS = 4
ROWS = 60
PERSONS = 7
SCHEMA = {
    "type": "SCHEMA",
    "stream": "users",
    "key_properties": [],
    "schema": {"properties": {}, "x-call-type": "identify", "x-last-sync-time": 0},
}
HARMLESS = ("latency", "bandwidth", "sliced", "slow close")
LATER = 3

# Bytes that pass before the toxic: a request has about 250 bytes of head and 2,500 of body, an
# response about 70.
PHASES = {
    "up": {"connecting": 0, "in the head": 60, "in the body": 1500, "in a later request": 4000},
    "down": {"before the response": 0, "in its head": 20, "in its body": 65, "in a later one": 150},
}


def _cells(kinds: Sequence[Kind]) -> list[Cell]:
    """All cells, in an order in which evenly spaced ones cover all kinds and phases."""
    return [
        (kind, direction, phase)
        for phase in range(len(PHASES["up"]))
        for direction in DIRECTIONS
        for kind in (*kinds[phase:], *kinds[:phase])
    ]


def _toxic(kind: Kind, direction: Direction, phase: int) -> Toxic:
    return Toxic(kind, direction, after_bytes=list(PHASES[direction].values())[phase])


ONCE = _cells(KINDS)
ALWAYS = _cells([kind for kind in KINDS if kind not in HARMLESS])


def _row(number: int) -> dict[str, Any]:
    return {"userId": f"u{number % PERSONS}", "number": number, "text": "x" * 120}


def _messages(after: int) -> list[dict[str, Any]]:
    """Rows of seven people after row `after`, with a STATE after every 20 rows."""
    messages: list[dict[str, Any]] = [{**SCHEMA, "x-sync-time": 1, "x-position": after}]
    for number in range(after + 1, ROWS + 1):
        messages.append({"type": "RECORD", "stream": "users", "record": _row(number)})
        if number % 20 == 0:
            messages.append({"type": "STATE", "value": {"after": number}})
    return messages


def judge_calls(calls: Iterable[Call], after: int = ROWS) -> Verdict:
    """The verdict over the calls that arrived; the rows up to `after` are required."""
    first: dict[str, Call] = {}
    last_of: dict[str, int] = {}
    ids: dict[int, str] = {}
    found = Counter[str]()
    for call in calls:
        number = call.body["traits"]["number"]
        if call.message_id in first:
            found["repeats"] += 1
            found["corrupt"] += call.raw != first[call.message_id].raw
            continue
        first[call.message_id] = call
        row = _row(number)
        found["spurious"] += not 1 <= number <= ROWS
        found["corrupt"] += {"userId": call.body["userId"], **call.body["traits"]} != row
        found["repeats_with_other_ids"] += (
            ids.setdefault(number, call.message_id) != call.message_id
        )
        found["out_of_order"] += last_of.get(row["userId"], 0) > number
        last_of[row["userId"]] = number
    found["missing"] += len(set(range(1, after + 1)) - set(ids))
    return Verdict(**found)


class _Runs:
    """Runs that continue from the last state; the rows that a state covers must have arrived."""

    def __init__(self, programs: Programs, collector: Collector) -> None:
        self.after = 0
        self._programs = programs
        self._collector = collector
        self._premature = 0

    def run(self, port: int, **settings: Any) -> ProgramResult:
        """Run once, to the collector behind a port."""
        config = {
            "destination": "customerio",
            "endpoint": self._collector.url.replace(str(self._collector.port), str(port)),
            "write_key": DEFAULT_WRITE_KEY,
            "batch_max_calls": 10,
            "concurrency": 2,
            "timeout_seconds": 1,
            **settings,
        }
        done = self._programs.run_target(config, _messages(self.after))
        self.after = done.messages[-1]["after"] if done.output else self.after
        self._premature += bool(judge_calls(self._collector.calls, self.after).missing)
        return done

    def judge(self) -> Verdict:
        """The verdict over all runs, the last of which delivered everything."""
        return judge_calls(self._collector.calls) + Verdict(premature_states=self._premature)


def fail_once(programs: Programs, cell: Cell) -> Outcome:
    """Whatever happens to the first connections, the run succeeds and every row arrives."""
    kind = cell[0]
    with Collector() as collector, Proxy(collector.port, *[_toxic(*cell)] * 2) as proxy:
        runs = _Runs(programs, collector)

        done = runs.run(proxy.port)

        assert (done.exit_code, runs.after) == (0, ROWS), done.log
        assert kind in HARMLESS or proxy.accepted > proxy.affected, "nothing was repeated"
        return Outcome(bool(proxy.affected), runs.judge())


def fail_always(programs: Programs, cell: Cell) -> Outcome:
    """The run ends with exit code 4 after `max_retry_seconds`, and the next one delivers."""
    with Collector() as collector, Proxy(collector.port, *[_toxic(*cell)] * 1000) as proxy:
        runs = _Runs(programs, collector)

        broken = runs.run(proxy.port, max_retry_seconds=1, timeout_seconds=0.5)
        done = runs.run(collector.port)

        assert broken.exit_code == 4 or cell[2] == LATER or not proxy.affected, broken.log
        assert (done.exit_code, runs.after) == (0, ROWS), done.log
        return Outcome(bool(proxy.affected), runs.judge())


def soak(soak: Soak) -> Iterable[SoakRow]:
    """Faults of the first connections, and faults of all connections."""

    def try_once(cell: Cell) -> Outcome:
        return fail_once(soak.make_programs(), cell)

    def try_always(cell: Cell) -> Outcome:
        return fail_always(soak.make_programs(), cell)

    once, always = ONCE * _ROUNDS, ALWAYS * _ROUNDS
    yield run_cases(soak, "network to the API: once", once, try_once, threads=_THREADS)
    yield run_cases(soak, "network to the API: always", always, try_always, threads=_THREADS)
