"""Disks, files and memory that run out: the target reports it, quotes no row, loses nothing."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.reliability.oracle import Verdict
from tests.reliability.registry import Outcome, Soak, SoakRow, run_cases

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_ROUNDS = 5
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
    """Run the target over the rows and a STATE, under `ulimit` limits."""
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


def lines_of(path: Path) -> list[dict[str, Any]]:
    """The complete lines of a file, as JSON."""
    lines = []
    for line in path.read_text().splitlines():
        try:
            lines.append(json.loads(line))
        except ValueError:
            continue
    return lines


def _assert_reported(run: subprocess.CompletedProcess[str], exit_code: int, *words: str) -> None:
    """The run ended with this code and message, without a row value or a traceback."""
    assert run.returncode == exit_code, run.stderr
    for word in words:
        assert word in run.stderr, run.stderr
    assert SECRET not in run.stderr
    assert "Traceback" not in run.stderr


def fill_device(setting: str, exit_code: int, folder: Path) -> Outcome:
    """On a full device the run fails, names the path, and prints no STATE too early."""
    run = _run(folder, [*ROWS, *BAD], **{setting: "/dev/full"})

    _assert_reported(run, exit_code, "/dev/full", "No space left on device")
    is_premature = bool(run.stdout) != (setting == "report_path")
    return Outcome(verdict=Verdict(premature_states=is_premature))


def fill_devices(folder: Path) -> Outcome:
    """The exit code is that of the failed delivery; the failed report is logged as well."""
    run = _run(folder, ROWS, output_path="/dev/full", report_path="/dev/full")

    _assert_reported(run, 4, "report_path")
    return Outcome(verdict=Verdict(premature_states=bool(run.stdout)))


def limit_file(name: str, rows: list[dict[str, Any]], folder: Path) -> Outcome:
    """A file that cannot grow ends the run without a STATE; the next run sends every row."""
    full = _run(folder, rows, limits="ulimit -f 8")
    again = _run(folder, rows)

    _assert_reported(full, 4, "File too large")
    assert (again.returncode, json.loads(again.stdout)) == (0, STATE["value"]), again.stderr
    missing = max(len(rows) - len(lines_of(folder / name)), 0)
    return Outcome(verdict=Verdict(missing=missing, premature_states=bool(full.stdout)))


def refuse_file(setting: str, exit_code: int, folder: Path) -> Outcome:
    """Where not even root can create a file, the run fails and names the path."""
    run = _run(folder, [*ROWS, *BAD], **{setting: "/proc/none.jsonl"})

    _assert_reported(run, exit_code, "/proc/none.jsonl")
    return Outcome()


def fill_stdout(folder: Path) -> Outcome:
    """A STATE that cannot be printed fails the run; the message says why and quotes no row."""
    with Path("/dev/full").open("w") as full:
        run = _run(folder, ROWS, stdout=full)

    _assert_reported(run, 4, "stdout (No space left on device)")
    return Outcome()


def limit_process(limits: str, folder: Path) -> Outcome:
    """With few open files or little memory the run succeeds and loses nothing."""
    run = _run(folder, [*ROWS, *BAD], limits=limits)

    assert run.returncode == 0, run.stderr
    calls, letters = (lines_of(folder / f"{name}.jsonl") for name in ("calls", "dead_letters"))
    missing = abs(len(ROWS) - len(calls)) + abs(len(BAD) - len(letters))
    return Outcome(verdict=Verdict(missing=missing))


_SETTINGS = ("output_path", "dead_letter_path", "report_path")
CASES: dict[str, Callable[[Path], Outcome]] = {
    **{
        f"full device, {setting}": functools.partial(fill_device, setting, exit_code)
        for setting, exit_code in zip(_SETTINGS, (4, 4, 2), strict=True)
    },
    "full devices": fill_devices,
    "limit, calls": functools.partial(limit_file, "calls.jsonl", ROWS),
    "limit, dead letters": functools.partial(limit_file, "dead_letters.jsonl", BAD * 10),
    **{
        f"no folder, {setting}": functools.partial(refuse_file, setting, exit_code)
        for setting, exit_code in zip(_SETTINGS, (2, 4, 2), strict=True)
    },
    "full stdout": fill_stdout,
    "few open files": functools.partial(limit_process, "ulimit -n 12"),
    "little memory": functools.partial(limit_process, "ulimit -v 1500000"),
}


def soak(soak: Soak) -> Iterable[SoakRow]:
    """All cases, with the installed program."""

    def try_case(name: str) -> Outcome:
        return CASES[name](Path(tempfile.mkdtemp(dir=soak.folder)))

    yield run_cases(soak, "resources that run out", [*CASES] * _ROUNDS, try_case, threads=2)
