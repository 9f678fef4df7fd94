from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.reliability.ledger import Row
from tests.reliability.oracle import SeenCall, SeenDestination, SeenRun, SeenState, Verdict, judge


def _row(number: int, person: str = "1", fate: Any = "delivered", sync: str = "events") -> Row:
    body = {"type": "track", "userId": person, "properties": {"row_key": f"k{number}"}}
    return Row(sync, f"k{number}", person, number, number * 10, fate, body)


def _mood(number: int, mood: str) -> Row:
    body = {"type": "identify", "userId": "m", "traits": {"mood": mood}}
    return Row("moods", f"m{number}", "m", number, number * 10, "delivered", body)


def _call(row: Row, message_id: str = "") -> SeenCall:
    return SeenCall(message_id or f"id of {row.key}", row.body)


ROWS = [_row(1), _row(2), _row(3, "2"), _row(4, "2", "rejected")]
CALLS = [_call(row) for row in ROWS[:3]]
WHOLE = SeenDestination(CALLS, ["k4"])
COUNTS = {"read": 4, "delivered": 3, "filtered": 0, "rejected": 1, "discarded": 0}
REPORT = {"events": COUNTS}
FAULTS = {
    "missing": (replace(WHOLE, calls=CALLS[1:]), {"missing": 1}),
    "missing dead letter": (replace(WHOLE, dead_letters=[]), {"missing": 1}),
    "corrupt": (
        replace(WHOLE, calls=[*CALLS, SeenCall("x", {**ROWS[0].body, "event": "?"})]),
        {"corrupt": 1},
    ),
    "unknown": (
        replace(WHOLE, calls=[*CALLS, SeenCall("x", {"properties": {"row_key": "k9"}})]),
        {"spurious": 1},
    ),
    "rejected row delivered": (replace(WHOLE, calls=[*CALLS, _call(ROWS[3])]), {"spurious": 1}),
    "good row rejected": (replace(WHOLE, dead_letters=["k4", "k1"]), {"spurious": 1}),
    "overtaken": (replace(WHOLE, calls=[CALLS[1], CALLS[0], CALLS[2]]), {"out_of_order": 1}),
    "other id": (
        replace(WHOLE, calls=[*CALLS, _call(ROWS[1], "new")]),
        {"repeats_with_other_ids": 1},
    ),
    "id of another row": (
        replace(WHOLE, calls=[*CALLS[:2], _call(ROWS[2], "id of k1")]),
        {"missing": 1},
    ),
}


@pytest.mark.parametrize(("seen", "violations"), FAULTS.values(), ids=list(FAULTS))
def test_each_fault_is_counted(seen, violations):
    """Each fault is one violation of one kind."""
    assert judge(ROWS, [seen], [], []).violations == violations


def test_repeats_with_the_same_id_are_no_violation():
    """After a crash the same calls are sent again, from the first one."""
    seen = replace(WHOLE, calls=[*CALLS, *CALLS])

    assert judge(ROWS, [seen], [], [SeenRun(0, [REPORT], 4)]) == Verdict(repeats=3)


@pytest.mark.parametrize(
    ("calls", "dead_letters", "premature"), [(3, 1, 0), (2, 1, 1), (3, 0, 1)], ids=str
)
def test_premature_state_is_counted(calls, dead_letters, premature):
    """A STATE may cover only what the destination had when it was printed."""
    state = SeenState({"events": 50}, 100, [calls], [dead_letters])

    assert judge(ROWS, [WHOLE], [state], []).premature_states == premature


def test_every_destination_is_judged():
    """A row that one of two destinations lacks is missing, and a STATE must wait for both."""
    behind = replace(WHOLE, calls=CALLS[:2])
    state = SeenState({"events": 50}, 100, [3, 2], [1, 1])

    violations = judge(ROWS, [WHOLE, behind], [state], []).violations

    assert violations == {"missing": 1, "premature_states": 1}


def test_fact_that_changes_back_needs_a_new_id():
    """A destination drops a known messageId: from happy to sad and back would end sad."""
    moods = [_mood(1, "happy"), _mood(2, "sad"), _mood(3, "happy")]
    good = SeenDestination([_call(mood) for mood in moods], [])
    bad = SeenDestination([_call(mood, mood.body["traits"]["mood"]) for mood in moods], [])

    assert judge(moods, [good], [], []) == Verdict()
    assert judge(moods, [bad], [], []).missing == 1


@pytest.mark.parametrize(
    ("exit_code", "changed", "due", "uncounted"),
    [(0, {}, 4, 0), (0, {"delivered": 2}, 4, 1), (0, {}, 5, 1), (4, {"delivered": 2}, None, 0)],
    ids=["adds up", "lost", "not read", "failed run"],
)
def test_rows_missing_from_the_report_are_counted(exit_code, changed, due, uncounted):
    """The report of a successful run must account for each row that was due."""
    report = {"events": {**REPORT["events"], **changed}}

    run = SeenRun(exit_code, [report], due)

    assert judge(ROWS, [WHOLE], [], [run]).uncounted == uncounted


def test_row_superseded_before_it_was_read_is_not_required():
    """Only its successor must be settled."""
    unread = replace(_row(5), is_required=False)

    assert judge([*ROWS, unread], [WHOLE], [], []) == Verdict()
