"""A letter of a fact is superseded once a newer call of its person and stream was delivered."""

from __future__ import annotations

import fcntl
import json
from typing import Any

import pytest

from tests.target.conftest import record, schema, state

POISON = {"status": 400, "contains": "poison", "times": None}
PROCESSES = pytest.mark.parametrize("processes", [1, 2])


def _identify(stream: str = "people", **columns: Any) -> dict[str, Any]:
    return record(stream, **columns)


def _letters(tmp_path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (tmp_path / "dead_letters.jsonl").read_text().splitlines()]


def _marks(tmp_path) -> dict[str, bool]:
    """The mark of the letters of each person."""
    return {letter["record"]["userId"]: letter["superseded"] for letter in _letters(tmp_path)}


@pytest.fixture
def rejected(collector, config, run_target, tmp_path):
    """Rejects the identifies of some users, then accepts everything."""

    def reject(*users: str, **settings: Any) -> None:
        collector.script([POISON])
        rows = [_identify(userId=user, plan="poison") for user in users]
        run = run_target({**config, **settings}, [schema("people", "identify"), *rows, state(1)])
        assert len(run.dead_letters) == len(users), run.log
        collector.script([])
        collector.forget()

    return reject


@PROCESSES
def test_letter_with_a_newer_call_is_not_sent(
    collector, config, run_target, rejected, tmp_path, processes
):
    """A later run delivers the person; the replay skips the old values, and says so."""
    config = {**config, "processes": processes}
    rejected("a", "b", processes=processes)
    run_target(config, [schema("people", "identify"), _identify(userId="a", plan="new"), state(2)])
    assert _marks(tmp_path) == {"a": True, "b": False}
    collector.forget()

    run = run_target(config, [], "--replay", str(tmp_path / "dead_letters.jsonl"))

    assert run.exit_code == 0, run.log
    assert [call.body["userId"] for call in collector.calls] == ["b"]
    assert "people: 1 superseded letter not sent" in run.log
    assert _letters(tmp_path) == []


def test_superseded_letter_is_not_retried(collector, config, run_target, rejected, tmp_path):
    """The automatic retry leaves it in the file."""
    rejected("a", "b")
    run_target(config, [schema("people", "identify"), _identify(userId="a", plan="new"), state(2)])
    collector.forget()

    run_target(config, [], "--retry-rejected")

    assert [call.body["userId"] for call in collector.calls] == ["b"]
    assert [letter["call"]["userId"] for letter in _letters(tmp_path)] == ["a"]


@PROCESSES
def test_later_row_of_the_same_run_supersedes(collector, config, run_target, tmp_path, processes):
    """The order of the rows decides, not the order in which they were settled."""
    collector.script([POISON])
    rows = [
        _identify(userId="a", plan="poison"),
        _identify(userId="a", plan="new"),
        _identify(userId="b", plan="old"),
        _identify(userId="b", plan="poison"),
        _identify(userId="c", plan="old"),
        _identify(userId="c", plan={"timestamp": 1}, timestamp="no time"),
        _identify(userId="d", timestamp="no time"),
        _identify(userId="d", plan="new"),
    ]

    run_target({**config, "processes": processes}, [schema("people", "identify"), *rows, state(1)])

    assert _marks(tmp_path) == {"a": True, "b": False, "c": False, "d": True}


@pytest.mark.parametrize(
    "newer",
    [
        pytest.param([schema("others", "identify"), _identify("others", userId="a")], id="stream"),
        pytest.param([schema("people", "identify"), _identify(userId="A", plan="x")], id="person"),
        pytest.param(
            [schema("people", "group"), _identify(userId="a", groupId="g")], id="kind of call"
        ),
    ],
)
def test_other_calls_do_not_supersede(config, run_target, rejected, tmp_path, newer):
    """Only a call of the same stream, type and person is newer."""
    rejected("a")

    run_target(config, [*newer, state(2)])

    assert _marks(tmp_path) == {"a": False}


def test_groups_of_a_person_are_told_apart(collector, config, run_target, tmp_path):
    """A person's later call about another group does not supersede."""
    collector.script([POISON])
    rows = [
        record("groups", userId="a", groupId=group, name=name)
        for group, name in (("1", "poison"), ("2", "poison"), ("2", "new"))
    ]

    run_target(config, [schema("groups", "group"), *rows, state(1)])

    marks = {letter["record"]["groupId"]: letter["superseded"] for letter in _letters(tmp_path)}
    assert marks == {"1": False, "2": True}


def test_events_are_never_superseded(collector, config, run_target, tmp_path):
    """Every event is sent, however old."""
    collector.script([POISON])
    rows = [record("s", userId="a", event=event) for event in ("poison", "fine")]

    run_target(config, [schema("s", "track"), *rows, state(1)])

    assert ["superseded" in letter for letter in _letters(tmp_path)] == [False]


def test_rejected_newer_call_does_not_supersede(collector, config, run_target, rejected, tmp_path):
    """Both letters remain; the replay sends them in order."""
    rejected("a")
    collector.script([POISON])
    run_target(
        config, [schema("people", "identify"), _identify(userId="a", plan="poison2"), state(2)]
    )
    collector.script([])

    run_target(config, [], "--replay", str(tmp_path / "dead_letters.jsonl"))

    assert [call.body["traits"]["plan"] for call in collector.calls] == ["poison", "poison2"]


def test_letter_that_fails_again_can_be_superseded(
    collector, config, run_target, rejected, tmp_path
):
    """A replay writes its letters anew; a later run still finds them."""
    rejected("a")
    collector.script([POISON])
    run_target(config, [], "--retry-rejected")
    assert _letters(tmp_path)[0]["retries"] == 1
    collector.script([])

    run_target(config, [schema("people", "identify"), _identify(userId="a", plan="new"), state(2)])

    assert _marks(tmp_path) == {"a": True}


def test_dry_run_marks_nothing(config, run_target, rejected, tmp_path):
    """What is not sent supersedes nothing."""
    rejected("a")
    messages = [schema("people", "identify"), _identify(userId="a", plan="new"), state(2)]

    run_target(config, messages, "--dry-run")

    assert _marks(tmp_path) == {"a": False}


def test_marks_wait_for_no_replay(config, run_target, rejected, tmp_path):
    """A replay that holds the file sends its letters as they were; nothing waits for it."""
    rejected("a")
    with (tmp_path / "dead_letters.jsonl.replay").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        messages = [schema("people", "identify"), _identify(userId="a", plan="new"), state(2)]
        run = run_target(config, messages)

    assert run.exit_code == 0, run.log
    assert _marks(tmp_path) == {"a": False}


@pytest.mark.parametrize("option", ["--retry-rejected", "--replay"])
def test_newer_letter_that_is_sent_again_supersedes(
    collector, config, run_target, rejected, tmp_path, option
):
    """Of two letters the newer is accepted first; the older is never sent after it."""
    arguments = [option, *([str(tmp_path / "dead_letters.jsonl")] if option == "--replay" else [])]
    rejected("a")
    collector.script([POISON])
    newer = _identify(userId="a", plan="poison two")
    run_target(config, [schema("people", "identify"), newer, state(2)])
    collector.script([{"status": 400, "contains": '"poison"', "times": None}])
    run_target(config, [], *arguments)
    assert [(call.body["traits"]["plan"]) for call in collector.calls] == ["poison two"]
    assert _marks(tmp_path) == {"a": True}
    collector.script([])
    collector.forget()

    run_target(config, [], *arguments)

    assert collector.calls == []


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(json.dumps, id="blanks"),
        pytest.param(lambda letter: json.dumps(dict(sorted(letter.items()))), id="order"),
        pytest.param(lambda letter: json.dumps(letter) + "\r", id="line ends"),
        pytest.param(
            lambda letter: json.dumps({n: v for n, v in letter.items() if n != "superseded"}),
            id="older version",
        ),
    ],
)
def test_edited_letter_is_marked(config, run_target, rejected, tmp_path, edit):
    """However its line is written; the other lines stay as they are."""
    rejected("a", "b")
    path = tmp_path / "dead_letters.jsonl"
    lines = sorted(path.read_text().splitlines(), key=lambda line: '"userId":"b"' in line)
    path.write_text(f"{edit(json.loads(lines[0]))}\n{lines[1]}\n")

    run_target(config, [schema("people", "identify"), _identify(userId="a", plan="new"), state(2)])

    assert _marks(tmp_path) == {"a": True, "b": False}
    assert path.read_text().splitlines()[1] == lines[1]


def test_letter_of_a_former_name_is_marked(config, run_target, rejected, tmp_path):
    """The only destination takes the letters of its former names, and marks them."""
    rejected("a")
    path = tmp_path / "dead_letters.jsonl"
    path.write_text(path.read_text().replace('"customerio"', '"crm"'))

    run_target(config, [schema("people", "identify"), _identify(userId="a", plan="new"), state(2)])

    assert _marks(tmp_path) == {"a": True}


def test_anonymous_id_does_not_make_another_person(config, run_target, collector, tmp_path):
    """The person is the userId, whatever else is known."""
    collector.script([POISON])
    rows = [
        _identify(userId="a", anonymousId=anonymous, plan=plan)
        for anonymous, plan in (("x", "poison"), ("y", "new"))
    ]

    run_target(config, [schema("people", "identify"), *rows, state(1)])

    assert _marks(tmp_path) == {"a": True}
