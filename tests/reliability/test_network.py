"""Connections that go wrong, to the destination and to SQL Server; see proxy.py."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sandbox.collector import DEFAULT_WRITE_KEY, Collector
from tests.reliability.amounts import some_of
from tests.reliability.proxy import DIRECTIONS, KINDS, Direction, Kind, Proxy, Toxic
from tests.reliability.single_runs import Done, Programs

if TYPE_CHECKING:
    from collections.abc import Sequence

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
# answer about 70.
PHASES = {
    "up": {"connecting": 0, "in the head": 60, "in the body": 1500, "in a later request": 4000},
    "down": {"before the answer": 0, "in its head": 20, "in its body": 65, "in a later one": 150},
}


@pytest.fixture
def programs(nursery, tmp_path) -> Programs:
    """Both programs."""
    return Programs(nursery, tmp_path)


def _cells(kinds: Sequence[Kind]) -> list[tuple[Kind, Direction, int]]:
    """All of them, in an order in which evenly spread ones are of all kinds and phases."""
    return [
        (kind, direction, phase)
        for phase in range(len(PHASES["up"]))
        for direction in DIRECTIONS
        for kind in (*kinds[phase:], *kinds[:phase])
    ]


def _toxic(kind: Kind, direction: Direction, phase: int) -> Toxic:
    return Toxic(kind, direction, after_bytes=list(PHASES[direction].values())[phase])


def _messages(after: int) -> list[dict[str, Any]]:
    """Rows of seven persons, a STATE after every 20; those up to `after` are not sent again."""
    messages: list[dict[str, Any]] = [SCHEMA]
    for number in range(after + 1, ROWS + 1):
        row = {"userId": f"u{number % PERSONS}", "number": number, "text": "x" * 120}
        messages.append({"type": "RECORD", "stream": "users", "record": row})
        if number % 20 == 0:
            messages.append({"type": "STATE", "value": {"after": number}})
    return messages


def _numbers(collector: Collector) -> list[int]:
    return [call.body["traits"]["number"] for call in collector.calls]


def _run(
    programs: Programs, url: str, collector: Collector, after: int, **settings: Any
) -> tuple[Done, int]:
    """One run from a state; the state that it leaves. It may not be ahead of what arrived."""
    config = {
        "destination": "customerio",
        "endpoint": url,
        "write_key": DEFAULT_WRITE_KEY,
        "batch_max_calls": 10,
        "concurrency": 2,
        "timeout_seconds": 1,
        **settings,
    }
    done = programs.run_target(config, _messages(after))
    after = done.messages[-1]["after"] if done.output else after
    assert set(range(1, after + 1)) <= set(_numbers(collector)), "a STATE ran ahead"
    return done, after


def _assert_each_once_or_repeated(collector: Collector) -> None:
    """All rows are there, nobody's are out of order, and repeats are the same bytes."""
    first: dict[str, bytes] = {}
    last_of: dict[int, int] = {}
    for call in collector.calls:
        if call.message_id in first:
            assert call.raw == first[call.message_id]
            continue
        first[call.message_id] = call.raw
        number = call.body["traits"]["number"]
        assert last_of.get(number % PERSONS, 0) < number, "a person's calls are out of order"
        last_of[number % PERSONS] = number
    assert sorted(set(_numbers(collector))) == list(range(1, ROWS + 1))
    assert len(first) == ROWS


@pytest.mark.parametrize(("kind", "direction", "phase"), some_of(_cells(KINDS), 16), ids=str)
def test_connection_that_goes_wrong_once_is_made_up_for(programs, kind, direction, phase):
    """Whatever happens to the first connections, the run succeeds and every row arrives."""
    toxic = _toxic(kind, direction, phase)
    with Collector() as collector, Proxy(collector.port, toxic, toxic) as proxy:
        url = collector.url.replace(str(collector.port), str(proxy.port))

        done, after = _run(programs, url, collector, 0)

        assert (done.exit_code, after) == (0, ROWS), done.log
        _assert_each_once_or_repeated(collector)
        assert proxy.harmed or kind == "slow close"
        assert kind in HARMLESS or proxy.accepted > 2, "nothing had to be repeated"


@pytest.mark.parametrize(
    ("kind", "direction", "phase"),
    some_of(_cells([kind for kind in KINDS if kind not in HARMLESS]), 8),
    ids=str,
)
def test_connections_that_all_go_wrong_end_the_run_in_time(programs, kind, direction, phase):
    """The run gives up with exit code 4 after `max_retry_seconds`, and the next one delivers."""
    toxics = [_toxic(kind, direction, phase)] * 1000
    with Collector() as collector, Proxy(collector.port, *toxics) as proxy:
        url = collector.url.replace(str(collector.port), str(proxy.port))

        broken, after = _run(programs, url, collector, 0, max_retry_seconds=1, timeout_seconds=0.5)
        done, after = _run(programs, collector.url, collector, after)

        assert broken.exit_code == 4 or phase == LATER, broken.log
        assert (done.exit_code, after) == (0, ROWS), done.log
        _assert_each_once_or_repeated(collector)
