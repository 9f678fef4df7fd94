from __future__ import annotations

import json
import stat
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from target_pipelines.acknowledgements.dead_letters import DeadLetter, DeadLetters
from target_pipelines.api.errors import DeliveryStopped

NOW = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)


def _letter(number: int = 1) -> DeadLetter:
    call = {"userId": "1", "total": Decimal("12.3400")}
    return DeadLetter(
        stream="s", call_type="track", destination="file", reason=f"reason {number}", call=call
    )


def test_letter_tells_everything(tmp_path):
    """A line has the time, the stream, the type, the reason and the call with its digits."""
    path = tmp_path / "letters.jsonl"

    DeadLetters(path, now=lambda: NOW).add([_letter()])

    assert '"total":12.3400' in path.read_text()
    assert json.loads(path.read_text()) == {
        "time": "2026-01-02T03:04:05.678Z",
        "stream": "s",
        "call_type": "track",
        "destination": "file",
        "reason": "reason 1",
        "status": None,
        "attempts": 0,
        "call": {"userId": "1", "total": 12.34},
        "record": None,
        "last_sync_time": None,
    }


def test_letters_are_for_their_owner_only(tmp_path):
    """Dead letters hold personal data."""
    path = tmp_path / "letters.jsonl"

    DeadLetters(path).add([_letter()])

    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_letters_are_appended(tmp_path):
    """Those of earlier runs stay."""
    path = tmp_path / "letters.jsonl"

    for number in (1, 2):
        DeadLetters(path).add([_letter(number)])

    lines = path.read_text().splitlines()
    assert [json.loads(line)["reason"] for line in lines] == ["reason 1", "reason 2"]


def test_no_letters_make_no_file(tmp_path):
    """A run without dead letters leaves no file."""
    DeadLetters(tmp_path / "letters.jsonl").add([])

    assert list(tmp_path.iterdir()) == []


def test_full_disk_stops_the_run():
    """What cannot be kept must not be settled."""
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    with pytest.raises(DeliveryStopped, match="No space left on device"):
        DeadLetters(full).add([_letter()])


@pytest.mark.parametrize(
    ("left", "kept"),
    [
        (b'{"a":1}\n{"time":"2026', [{"a": 1}]),
        (b'{"time":"2026', []),
        (b'{"a":"' + b"x" * 200_000, []),
        (b'{"a":1}\n{"b":2}', [{"a": 1}, {"b": 2}]),
    ],
    ids=["torn", "torn at the beginning", "torn and long", "only its end is missing"],
)
def test_letter_after_a_torn_one_is_whole(tmp_path, left, kept):
    """A writer that died in mid line, as by a full disk or a kill, spoils no letter after it."""
    path = tmp_path / "letters.jsonl"
    path.write_bytes(left)

    DeadLetters(path).add([_letter(1)])

    *before, letter = [json.loads(line) for line in path.read_bytes().splitlines()]
    assert (before, letter["reason"]) == (kept, "reason 1")
