from __future__ import annotations

import json
import os
import stat
from decimal import Decimal
from pathlib import Path
from unittest.mock import ANY

import pytest

from program_kit.file_locks import locked
from target_pipelines.acknowledgements import dead_letters
from target_pipelines.acknowledgements.dead_letter_file import is_other_file
from target_pipelines.acknowledgements.dead_letters import DeadLetter, DeadLetters, encode_lines
from target_pipelines.api.errors import DeliveryStopped, Interrupted
from target_pipelines.api.settings import TargetSettings
from target_pipelines.run.configuration import _find_file_problems


def _dead_letter(number: int = 1) -> DeadLetter:
    call = {"userId": "1", "total": Decimal("12.3400")}
    return DeadLetter(
        stream="s", call_type="track", destination="file", reason=f"reason {number}", call=call
    )


def _append(path: Path, number: int = 1) -> None:
    DeadLetters(path).append(encode_lines([_dead_letter(number)]))


def test_dead_letter_has_all_fields(tmp_path):
    """A line has time, stream, call type, reason, and the call with unchanged digits."""
    path = tmp_path / "dead_letters.jsonl"

    _append(path)

    assert '"total":12.3400' in path.read_text()
    assert json.loads(path.read_text()) == {
        "time": ANY,
        "stream": "s",
        "call_type": "track",
        "destination": "file",
        "reason": "reason 1 Correct the query; then `--resync s` or `--since` reads the row again, "
        "which `--replay` does not.",
        "kind": "query",
        "status": None,
        "attempts": 0,
        "key": None,
        "position": None,
        "call": {"userId": "1", "total": 12.34},
        "record": None,
        "sync_time": None,
        "last_sync_time": None,
    }


def test_file_is_readable_by_its_owner_only(tmp_path):
    """Dead letters hold personal data."""
    path = tmp_path / "dead_letters.jsonl"

    _append(path)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_dead_letters_are_appended(tmp_path):
    """Dead letters of earlier runs stay."""
    path = tmp_path / "dead_letters.jsonl"

    for number in (1, 2):
        _append(path, number)

    lines = path.read_text().splitlines()
    assert [json.loads(line)["reason"][:8] for line in lines] == ["reason 1", "reason 2"]


def test_full_disk_stops_the_run():
    """A call whose dead letter cannot be written is not settled."""
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    with pytest.raises(DeliveryStopped, match="No space left on device"):
        _append(full)


@pytest.mark.parametrize(
    ("left", "kept"),
    [
        (b'{"a":1}\n{"time":"2026', [{"a": 1}]),
        (b'{"time":"2026', []),
        (b'{"a":"' + b"x" * 200_000, []),
        (b'{"a":1}\n{"b":2}', [{"a": 1}, {"b": 2}]),
    ],
    ids=["partial", "partial first line", "partial and long", "only the newline is missing"],
)
def test_dead_letter_after_a_partial_line_is_complete(tmp_path, left, kept):
    """A partial line, as after a kill or a full disk, does not corrupt the next dead letter."""
    path = tmp_path / "dead_letters.jsonl"
    path.write_bytes(left)

    _append(path, 1)

    *before, dead_letter = [json.loads(line) for line in path.read_bytes().splitlines()]
    assert (before, dead_letter["reason"][:8]) == (kept, "reason 1")


def test_wait_for_the_file_hears_a_signal(tmp_path):
    """Another process may hold it for long."""
    path = tmp_path / "dead_letters.jsonl"

    def interrupt() -> None:
        raise Interrupted(15)

    with locked(path, os.O_RDWR | os.O_CREAT, interrupt), pytest.raises(Interrupted):
        DeadLetters(path, interrupt).append(encode_lines([_dead_letter()]))

    assert path.read_bytes() == b""


def test_new_name_survives_a_power_cut(tmp_path, monkeypatch):
    """The folder of a new file is synced, once."""
    synced: list[Path] = []
    monkeypatch.setattr(dead_letters, "sync_folder", synced.append)

    for number in (1, 2):
        _append(tmp_path / "dead_letters.jsonl", number)

    assert synced == [tmp_path]


@pytest.mark.parametrize(
    ("content", "is_other"),
    [
        ("", False),
        ("\n", False),
        ('{"time":"2026', False),
        ('{"stream":"s","call_type":"x","attempts":0,"record":{}}\n{"time', False),
        ('{"host": "db"}', True),
        ('{"host": "db"}\n', True),
        ("127.0.0.1 localhost\nlast line", True),
    ],
)
def test_other_file_is_known(tmp_path, content, is_other):
    """Its last line would be taken for one that a killed writer left."""
    path = tmp_path / "file"
    path.write_text(content)

    assert is_other_file(path) is is_other
    problems = list(_find_file_problems(TargetSettings(dead_letter_path=str(path))))
    assert bool(problems) is is_other
