from __future__ import annotations

import json
import os
import threading

import pytest

from program_kit import report_file
from program_kit.report_file import write_report

LARGE = {"syncs": {f"s{number}": {"message": "x" * 100} for number in range(3000)}}


def test_report_replaces_a_longer_one(tmp_path):
    """Nothing of the old one stays."""
    path = tmp_path / "report.json"
    path.write_text("x" * 1_000_000)

    write_report(path, {"exit_code": 0})

    assert json.loads(path.read_text()) == {"exit_code": 0}


def test_report_goes_through_a_pipe_to_its_reader(tmp_path):
    """Of any length, also if the reader is slow."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    read: list[str] = []
    opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    os.set_blocking(opened, True)

    def read_all() -> None:
        with os.fdopen(opened) as file:
            read.append(file.read())

    reader = threading.Timer(0.2, read_all)
    reader.start()

    write_report(path, LARGE)

    reader.join(10)
    assert json.loads(read[0]) == LARGE


def test_pipe_without_a_reader_is_an_error(tmp_path):
    """It would wait for ever, and hear no signal."""
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(OSError, match="No such device"):
        write_report(tmp_path / "pipe", {})


def test_pipe_that_nobody_reads_is_an_error(tmp_path, monkeypatch):
    """One process has it open, and does nothing."""
    monkeypatch.setattr(report_file, "_PIPE_SECONDS", 0.1)
    path = tmp_path / "pipe"
    os.mkfifo(path)
    opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK)

    try:
        with pytest.raises(OSError, match="nobody reads"):
            write_report(path, LARGE)
    finally:
        os.close(opened)
