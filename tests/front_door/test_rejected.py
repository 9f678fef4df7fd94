"""`mssql-reverse-etl rejected`: the dead letters of a project by sync and reason."""

from __future__ import annotations

import json
from zoneinfo import ZoneInfo

import pytest

from mssql_reverse_etl.dead_letters.groups import group_letters, read_letters
from mssql_reverse_etl.screens.rejected import rejected_screen
from target_pipelines.acknowledgements.dead_letters import DeadLetter, encode_lines
from tests.front_door.histories import text_at
from tests.front_door.projects import SECRETS, change, run_command
from tests.front_door.snapshots import assert_screen

AMSTERDAM = ZoneInfo("Europe/Amsterdam")


def _lines(*letters):
    lines = encode_lines(letters)
    times = [f"2026-11-27T19:{20 + number}:00.000Z" for number in range(len(lines))]
    changed = [json.loads(line) | {"time": t} for line, t in zip(lines, times, strict=True)]
    return "".join(json.dumps(letter) + "\n" for letter in changed)


def _refused(number, **fields):
    call = {"type": "identify", "userId": str(number), "traits": {"secret": "canary"}}
    reason = "unknown plan, which must be one of the plans that the account has."
    return DeadLetter(
        stream="users", call_type="identify", destination="customerio", kind="destination",
        reason=f"The destination rejected the call: {reason}", status=422, attempts=1,
        key={"id": number}, call=call, record={"id": number, "secret": "canary"}, **fields,
    )  # fmt: skip


def _invalid():
    return DeadLetter(
        stream="users", call_type="identify", destination="customerio", kind="query",
        reason="Field `userId` is missing.", record={"secret": "canary"},
    )  # fmt: skip


@pytest.fixture
def folder(tmp_path, shop):
    """A starter project that works on the sandbox, with five dead letters."""
    assert run_command(tmp_path, "init").returncode == 0
    shop.use(tmp_path)
    shop.collector.script([])
    shop.collector.forget()
    lines = _lines(*(_refused(n) for n in range(4))) + _lines(_invalid())
    lines = lines.replace('"superseded": false', '"superseded": true', 1)
    (tmp_path / ".reverse_etl/dead_letters.jsonl").write_text(lines)
    return tmp_path


def _rejected(folder, *arguments):
    return run_command(folder, "rejected", *arguments, **SECRETS)


def test_screen(folder):
    """A paragraph for each reason: how many, when, whose, and what to do."""
    letters = read_letters(folder / ".reverse_etl/dead_letters.jsonl")

    groups = group_letters(letters, is_shown=False)

    assert_screen("rejected", text_at(80, rejected_screen(groups, AMSTERDAM)))


def test_json_has_the_columns_of_the_history(folder):
    """And times, keys, superseded letters and the remedy; no values."""
    done = _rejected(folder, "--json")

    first, second = json.loads(done.stdout)
    assert "canary" not in done.stdout
    assert (first["sync"], first["destination"], first["status"], first["calls"]) == (
        "users", "customerio", 422, 4
    )  # fmt: skip
    assert (first["oldest"], first["newest"]) == (
        "2026-11-27T19:20:00.000Z", "2026-11-27T19:23:00.000Z"
    )  # fmt: skip
    assert first["example_keys"] == [{"id": 0}, {"id": 1}, {"id": 2}]
    assert first["superseded"] == 1
    assert second["reason"] == "Field `userId` is missing."
    assert second["example_keys"] == []
    assert second["remedy"].startswith("Correct the query")


def test_values_are_shown_on_demand_alone(folder):
    """The records and calls."""
    assert "canary" not in _rejected(folder).stdout

    assert _rejected(folder, "--show").stdout.count("canary") == 4 + 4 + 1
    shown = json.loads(_rejected(folder, "--show", "--json").stdout)[0]["letters"]
    assert shown[0]["record"] == {"id": 0, "secret": "canary"}


def test_key_is_the_ordering_key_without_key_columns(folder):
    """Whom the call is about."""
    letter = json.loads(_lines(_refused(7))) | {"key": None}

    (group,) = group_letters([letter], is_shown=False)

    assert group.example_keys == ["7"]


def test_replay_sends_them_again(folder, shop):
    """By the target, with the project's settings; what fails again stays."""
    done = _rejected(folder, "--replay")

    assert done.returncode == 0, done.stderr
    assert {call.body["userId"] for call in shop.collector.calls} == {"1", "2", "3"}
    (left,) = json.loads(_rejected(folder, "--json").stdout)
    assert left["remedy"].startswith("Correct the query")


def test_replay_of_one_sync_leaves_the_others(folder, shop):
    """A sync that the project no longer has can be replayed too."""
    path = folder / ".reverse_etl/dead_letters.jsonl"
    other = json.loads(_lines(_refused(9))) | {"stream": "former"}
    path.write_text(path.read_text() + json.dumps(other) + "\n")

    done = _rejected(folder, "former", "--replay")

    assert done.returncode == 0, done.stderr
    assert [call.body["userId"] for call in shop.collector.calls] == ["9"]
    assert len(path.read_text().splitlines()) == 5


def test_name_limits_what_is_shown(folder):
    """To the letters of this sync; another one has none."""
    path = folder / ".reverse_etl/dead_letters.jsonl"
    other = json.loads(_lines(_refused(9))) | {"stream": "former"}
    path.write_text(path.read_text() + json.dumps(other) + "\n")

    (row,) = json.loads(_rejected(folder, "former", "--json").stdout)
    rows = json.loads(_rejected(folder, "users", "--json").stdout)

    assert (row["sync"], row["calls"]) == ("former", 1)
    assert {each["sync"] for each in rows} == {"users"}


def test_replay_ends_with_the_code_of_the_target(folder, shop):
    """A wrong key stops it; the file is unchanged."""
    path = folder / ".reverse_etl/dead_letters.jsonl"
    before = path.read_text()

    done = run_command(
        folder, "rejected", "--replay", **{**SECRETS, "CUSTOMERIO_WRITE_KEY": "other"}
    )

    assert done.returncode == 4
    assert path.read_text() == before


def test_files_of_all_destinations_are_read(folder):
    """Each has its own."""
    change(
        folder,
        "  destination: customerio",
        "  destinations:\n    - {destination: customerio}\n    - {destination: file, name: copy}",
    )
    letters = json.loads(_lines(_refused(1))) | {"destination": "copy"}
    path = folder / ".reverse_etl/dead_letters.copy.jsonl"
    path.write_text(json.dumps(letters) + "\n")

    rows = json.loads(_rejected(folder, "--json").stdout)

    assert [row["destination"] for row in rows] == ["copy"]


@pytest.mark.parametrize("arguments", [[], ["users"], ["--replay"]])
def test_nothing_was_rejected(folder, arguments):
    """It is said; as JSON there is nothing."""
    (folder / ".reverse_etl/dead_letters.jsonl").unlink()

    done = _rejected(folder, *arguments)

    assert (done.returncode, done.stdout) == (0, "No rejected calls.\n")
    assert json.loads(_rejected(folder, "--json").stdout) == []


def test_unreadable_file_is_refused(folder):
    """With its name."""
    path = folder / ".reverse_etl/dead_letters.jsonl"
    path.unlink()
    path.mkdir()

    done = _rejected(folder)

    assert done.returncode == 2
    assert "dead_letters.jsonl is not a file" in done.stderr


def test_lines_that_are_no_letters_are_counted(folder):
    """A line that is being written is none of them."""
    path = folder / ".reverse_etl/dead_letters.jsonl"
    path.write_text(f'{path.read_text()}{{"other": 1}}\n{{"time": "2026')

    done = _rejected(folder, "--json")

    assert done.returncode == 0
    assert "1 lines of" in done.stderr
    assert sum(row["calls"] for row in json.loads(done.stdout)) == 5


def test_bad_input_is_refused(folder):
    """An unknown sync, and options that contradict each other."""
    unknown = _rejected(folder, "user")
    assert (unknown.returncode, "did you mean users?" in unknown.stderr) == (2, True)

    assert _rejected(folder, "--replay", "--show").returncode == 2
