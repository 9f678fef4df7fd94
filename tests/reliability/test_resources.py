from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from target_pipelines.dead_letters import DeadLetter, DeadLetters
from target_pipelines.errors import DeliveryStopped

TARGET = Path(sys.executable).with_name("target-pipelines")
SECRET = "zoë-canary"
SCHEMA = {
    "type": "SCHEMA",
    "stream": "s",
    "schema": {"x-call-type": "identify", "x-last-sync-time": 0, "properties": {}},
    "key_properties": [],
}
STATE = {"type": "STATE", "value": {"bookmarks": {"s": {"last_sync_time": 1}}}}
ROWS = [{"userId": str(number), "name": SECRET * 10} for number in range(200)]
BAD = [{"userId": None, "name": SECRET} for _ in range(20)]


def _run(
    folder: Path,
    rows: list[dict[str, Any]],
    *,
    limits: str = "",
    stdout: Any = None,
    **changes: Any,
) -> subprocess.CompletedProcess[str]:
    """Run the target over the rows and a STATE, within limits of the shell."""
    settings = {"destination": "file", "output_path": "calls.jsonl", "max_rejected_ratio": 1}
    (folder / "target.json").write_text(json.dumps({**settings, **changes}))
    records = [{"type": "RECORD", "stream": "s", "record": row} for row in rows]
    return subprocess.run(
        ["bash", "-c", f'{limits}\nexec "{TARGET}" --config target.json'],
        input="".join(f"{json.dumps(message)}\n" for message in (SCHEMA, *records, STATE)),
        stdout=stdout or subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        timeout=60,
        check=False,
    )


def _lines(path: Path) -> list[dict[str, Any]]:
    """The whole lines of a file; half of one is no JSON."""
    lines = []
    for line in path.read_text().splitlines():
        try:
            lines.append(json.loads(line))
        except ValueError:
            continue
    return lines


@pytest.mark.parametrize(
    ("setting", "exit_code"), [("output_path", 4), ("dead_letter_path", 4), ("report_path", 2)]
)
def test_full_device_is_said_and_not_run_past(tmp_path, setting, exit_code):
    """Where nothing can be written the run fails, names the path, and shows no row."""
    run = _run(tmp_path, [*ROWS, *BAD], **{setting: "/dev/full"})

    assert run.returncode == exit_code, run.stderr
    assert "/dev/full" in run.stderr
    assert "No space left on device" in run.stderr
    assert SECRET not in run.stderr
    assert "Traceback" not in run.stderr
    assert bool(run.stdout) == (setting == "report_path")


def test_report_that_fails_hides_no_other_error(tmp_path):
    """The exit code is that of the failed delivery; the report's failure is said as well."""
    run = _run(tmp_path, ROWS, output_path="/dev/full", report_path="/dev/full")

    assert (run.returncode, run.stdout) == (4, ""), run.stderr
    assert "report_path" in run.stderr


@pytest.mark.parametrize(
    ("rows", "name"), [(ROWS, "calls.jsonl"), (BAD * 10, "dead_letters.jsonl")]
)
def test_next_run_with_room_loses_nothing(tmp_path, rows, name):
    """A file that cannot grow ends the run without STATE; the next one has every row out."""
    full = _run(tmp_path, rows, limits="ulimit -f 8")
    again = _run(tmp_path, rows)

    assert (full.returncode, full.stdout) == (4, ""), full.stderr
    assert "File too large" in full.stderr
    assert SECRET not in full.stderr
    assert (again.returncode, json.loads(again.stdout)) == (0, STATE["value"]), again.stderr
    assert len(_lines(tmp_path / name)) >= len(rows)


@pytest.mark.parametrize(
    ("setting", "exit_code"), [("output_path", 2), ("dead_letter_path", 4), ("report_path", 2)]
)
def test_folder_that_takes_no_file_is_said(tmp_path, setting, exit_code):
    """Where no file can be made, by root neither, the run fails and names the path."""
    run = _run(tmp_path, [*ROWS, *BAD], **{setting: "/proc/none.jsonl"})

    assert run.returncode == exit_code, run.stderr
    assert "/proc/none.jsonl" in run.stderr
    assert SECRET not in run.stderr
    assert "Traceback" not in run.stderr


def test_full_stdout_fails_the_run(tmp_path):
    """A STATE that cannot be printed is no success; the message says why, and shows no row."""
    with Path("/dev/full").open("w") as full:
        run = _run(tmp_path, ROWS, stdout=full)

    assert run.returncode == 4, run.stderr
    assert "stdout (No space left on device)" in run.stderr
    assert SECRET not in run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize("limits", ["ulimit -n 12", "ulimit -v 1500000"])
def test_small_limits_suffice(tmp_path, limits):
    """Few open files and little memory are enough: nothing is lost."""
    run = _run(tmp_path, [*ROWS, *BAD], limits=limits)

    assert run.returncode == 0, run.stderr
    assert len(_lines(tmp_path / "calls.jsonl")) == len(ROWS)
    assert len(_lines(tmp_path / "dead_letters.jsonl")) == len(BAD)


def _letter(reason: str) -> DeadLetter:
    return DeadLetter(stream="s", call_type="track", destination="file", reason=reason)


def test_letters_after_a_deletion_are_in_a_new_file(tmp_path):
    """A file that is deleted in mid run is made again by the next letter."""
    path = tmp_path / "letters.jsonl"
    letters = DeadLetters(path)
    letters.add([_letter("first")])
    path.unlink()

    letters.add([_letter("second")])

    assert [line["reason"] for line in _lines(path)] == ["second"]


def test_letter_that_is_deleted_while_it_is_written_stops_the_run(tmp_path, monkeypatch):
    """No STATE may cover a letter whose file is gone before it is settled."""
    path = tmp_path / "letters.jsonl"
    monkeypatch.setattr(os, "fsync", lambda _file: path.unlink())

    with pytest.raises(DeliveryStopped, match="deleted in the meantime"):
        DeadLetters(path).add([_letter("lost")])
