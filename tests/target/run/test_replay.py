from __future__ import annotations

import json
from typing import Any

import pytest

from tests.target.conftest import record, schema, state

POISON = {"status": 400, "contains": "poison", "times": None}
MESSAGES = [
    schema("s", "track"),
    record("s", userId=1, event="fine"),
    record("s", userId=2, event="poison"),
    record("s", userId=3, event="poison too"),
    record("s", userId=4, event=None),
    state(1),
]


@pytest.fixture
def letters(collector, config, run_target, tmp_path):
    """The file of dead letters of a run: two refused calls, and a record that became no call."""
    collector.script([POISON])
    assert len(run_target(config, MESSAGES).dead_letters) == 3
    collector.script([])
    collector.forget()
    return tmp_path / "dead_letters.jsonl"


def _read(path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_replay_delivers_and_keeps_what_fails_again(collector, config, run_target, letters):
    """What is accepted now leaves the file; what is not stays, with its reason."""
    run = run_target(config, [], "--replay", str(letters))

    assert run.exit_code == 0, run.log
    assert {call.body["event"] for call in collector.calls} == {"poison", "poison too"}
    (kept,) = _read(letters)
    assert kept["record"] == {"userId": 4, "event": None}
    assert letters.stat().st_mode & 0o777 == 0o600


def test_replay_carries_the_same_message_ids(collector, config, run_target, letters):
    """The API can tell that it has a call already."""
    ids = {letter["call"].get("messageId") for letter in _read(letters)} - {None}

    run_target(config, [], "--replay", str(letters))

    assert {call.message_id for call in collector.calls} == ids


def test_corrected_record_is_mapped_anew(collector, config, run_target, letters):
    """A row that became no call gets another chance, with the id that it would have had."""
    lines = letters.read_text().replace('"event":null', '"event":"mended"')
    letters.write_text(lines)
    run_target(config, [], "--replay", str(letters))
    (mended,) = [call for call in collector.calls if call.body["event"] == "mended"]

    collector.forget()
    run_target(config, [schema("s", "track"), record("s", userId=4, event="mended")])

    assert letters.read_text() == ""
    assert collector.calls[0].message_id == mended.message_id


def test_replay_that_fails_leaves_the_file(collector, config, run_target, letters):
    """A wrong key, or any other end in between, costs no dead letter."""
    before = letters.read_text()

    run = run_target({**config, "write_key": "wrong"}, [], "--replay", str(letters))

    assert run.exit_code == 4
    assert letters.read_text() == before


def test_letters_that_come_meanwhile_are_kept(collector, config, start_target, letters):
    """Another run may add dead letters while a replay is on."""
    collector.script([{"delay_seconds": 1.0, "times": None}])
    process = start_target(config, "--replay", str(letters))
    collector.wait_for_calls(1)
    with letters.open("a") as file:
        file.write(letters.read_text().splitlines()[0] + "\n")

    process.communicate(timeout=30)

    assert process.returncode == 0
    assert len(_read(letters)) == 2


def test_file_that_is_none_is_refused(config, run_target, tmp_path):
    """A missing file is a configuration error; another kind of file is left as it is."""
    other = tmp_path / "other.jsonl"
    other.write_text('{"a": 1}\n')

    assert run_target(config, [], "--replay", str(tmp_path / "none")).exit_code == 2
    assert run_target(config, [], "--replay", str(other)).exit_code == 4
    assert other.read_text() == '{"a": 1}\n'


def test_equal_events_stay_distinct_in_a_replay(collector, config, run_target, letters):
    """Two equal rows that became no call are two events when their cause is mended."""
    (line,) = [text for text in letters.read_text().splitlines() if '"event":null' in text]
    letters.write_text(f"{line}\n{line}\n".replace('"event":null', '"event":"mended"'))

    run_target(config, [], "--replay", str(letters))

    assert len({call.message_id for call in collector.calls}) == len(collector.calls) == 2
