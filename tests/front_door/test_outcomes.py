from __future__ import annotations

from typing import Any

import pytest

from mssql_reverse_etl.programs.pipe import PipeResult
from mssql_reverse_etl.results.outcomes import RunOutcomes, SyncOutcome

MOVED = {"bookmarks": {"s": {"last_sync_time": 9}}}
STOPPED = 'Destination "customerio" stopped this run.'


def _tap(outcome: str, message: str = "") -> dict[str, Any]:
    entry = {"outcome": outcome, "message": message, "rows": 5, "seconds": 1, "sync_time": 9}
    return {"syncs": {"s": entry}}


def _target(outcome: str, message: str = "") -> dict[str, Any]:
    return {"message": message, "streams": {"s": {"outcome": outcome, "message": message}}}


FAN_OUT = {"destinations": {"a": _target("delivered"), "b": _target("rejected", "Too many.")}}
INTERRUPTED = {"is_interrupted": True}
CASES: dict[str, tuple[tuple[int, int, Any, Any], Any, Any, tuple[str, str]]] = {
    "delivered": ((0, 0, _tap("read"), _target("delivered")), MOVED, {}, ("delivered", "")),
    "no rows": ((0, 0, _tap("read"), {}), MOVED, {}, ("delivered", "")),
    "query failed": ((3, 0, _tap("failed", "No."), {}), {}, {}, ("failed", "No.")),
    "not due": ((0, 0, _tap("not due"), {}), {}, {}, ("not due", "")),
    "rejected by one of two": (
        (0, 5, _tap("read"), FAN_OUT), MOVED, {}, ("rejected", "Too many."),
    ),
    "run stopped": ((0, 4, _tap("read"), _target("failed", STOPPED)), {}, {}, ("failed", STOPPED)),
    "another stream failed": (
        (0, 5, _tap("read"), _target("delivered")), MOVED, {}, ("delivered", ""),
    ),
    "settled, but its state was not written": (
        (0, 4, _tap("read"), {"message": STOPPED}), {}, {}, ("failed", STOPPED),
    ),
    "interrupted": (
        (143, 143, _tap("interrupted"), _target("interrupted")), {}, INTERRUPTED,
        ("interrupted", "Not all of its rows were settled."),
    ),
    "done before the interruption": (
        (143, 143, _tap("read"), _target("delivered")), MOVED, INTERRUPTED, ("delivered", ""),
    ),
    "not reached": (
        (143, 143, {}, {}), {}, INTERRUPTED, ("interrupted", "It was not reached."),
    ),
    "target killed": (
        (141, -9, _tap("interrupted"), {}), {}, {},
        ("interrupted", "The target was ended by SIGKILL."),
    ),
    "tap killed": ((-9, 0, {}, {}), {}, {}, ("interrupted", "The tap was ended by SIGKILL.")),
}  # fmt: skip


@pytest.mark.parametrize(("ends", "state", "options", "expected"), CASES.values(), ids=list(CASES))
def test_outcome_joins_both_programs(ends, state, options, expected):
    """What the tap read is a success only if the target has settled it."""
    tap_code, target_code, tap_report, target_report = ends
    result = PipeResult(tap_code, target_code, tap_report, target_report)

    joined = RunOutcomes(result=result, state=state, **options).of("s")

    assert (joined.outcome, joined.message) == (SyncOutcome(expected[0]), expected[1])


@pytest.mark.parametrize(
    ("tap", "target", "expected"),
    [
        (0, 0, 0), (3, 0, 3), (3, 5, 3), (2, 5, 5), (3, 4, 4), (1, 4, 1), (141, 4, 4),
        (141, 0, 141), (0, -9, 137), (-15, 0, 143), (3, 143, 143), (6, 4, 6),
    ],
)  # fmt: skip
def test_exit_code_is_the_worst(tap, target, expected):
    """A tap whose target has ended only says that its stdout was closed."""
    assert PipeResult(tap, target).exit_code == expected


@pytest.mark.parametrize(
    ("read", "target_code", "is_lost"),
    [
        ([5], 0, False),
        ([6], 0, False),
        ([4], 0, True),
        ([5, 4], 0, True),
        ([], 0, True),
        ([4], 5, False),
    ],
)
def test_rows_lost_between_the_programs_are_found(read, target_code, is_lost):
    """The target's own counts add up, also if it never got some of the tap's rows."""
    reports = {
        str(number): {"streams": {"s": {"outcome": "delivered", "message": "", "read": count}}}
        for number, count in enumerate(read)
    }
    result = PipeResult(0, target_code, _tap("read"), {"destinations": reports})

    message = RunOutcomes(result=result, state=MOVED).find_lost_rows("s")

    assert bool(message) == is_lost
    assert not message or "of 5 rows" in message
