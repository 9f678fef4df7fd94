"""A run as people see it: on a terminal."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import threading
from typing import TYPE_CHECKING

import pytest

from tests.front_door.projects import PROGRAM, SECRETS, run_command

if TYPE_CHECKING:
    from pathlib import Path

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class _Terminal:
    """A command on a terminal of its own; Ctrl-C reaches all its programs."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self._screen, terminal = pty.openpty()
        self.process = subprocess.Popen(
            [str(PROGRAM), *arguments],
            cwd=folder,
            env={**os.environ, **SECRETS, "TERM": "xterm", "COLUMNS": "100", "LINES": "30"},
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            start_new_session=True,
        )
        os.close(terminal)
        self._output = b""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while True:
            try:
                block = os.read(self._screen, 65536)
            except OSError:  # all programs have closed the terminal
                return
            self._output += block

    def wait_for(self, text: str) -> None:
        """Wait until the terminal has shown a text."""
        for _ in range(600):
            if text in self.text:
                return
            threading.Event().wait(0.1)
        raise TimeoutError(self.text)

    @property
    def text(self) -> str:
        """All that was written, without colours and movements."""
        return _ESCAPES.sub("", self._output.decode())

    def press_ctrl_c(self) -> None:
        """Send SIGINT to all programs, as a terminal does."""
        os.killpg(self.process.pid, signal.SIGINT)

    def finish(self) -> int:
        """Wait for the end; the exit code."""
        code = self.process.wait(60)
        self._reader.join(10)
        return code


@pytest.fixture
def project(tmp_path, shop):
    """A starter project on the sandbox."""
    assert run_command(tmp_path, "init").returncode == 0
    shop.use(tmp_path)
    shop.collector.forget()
    yield tmp_path
    shop.collector.script([])


def test_run_shows_its_progress_and_ends_with_a_table(project, shop):
    """Rows that were read, and what is settled, while requests are under way."""
    shop.collector.script([{"delay_seconds": 1.5, "times": None}])
    terminal = _Terminal(project, "run")

    terminal.wait_for("per second")
    code = terminal.finish()

    assert code == 0
    assert "1,200" in terminal.text
    assert "Delivered 1,200 calls of 1 sync" in terminal.text
    for noise in ("Skipping parse", "full_table", "level=", " | INFO"):
        assert noise not in terminal.text


def test_ctrl_c_says_what_was_delivered(project, shop):
    """And how the next run resumes; no traceback of any of the three programs."""
    shop.collector.script([{"delay_seconds": 5.0, "times": None}])
    terminal = _Terminal(project, "run")
    shop.collector.wait_for_requests(1, 60.0)

    terminal.press_ctrl_c()
    code = terminal.finish()

    assert code == 130
    text = " ".join(terminal.text.split())
    assert "Interrupted by SIGINT (Ctrl-C)." in text
    assert "The next run continues from it" in text
    assert "Traceback" not in text
    assert text.count("Interrupted by") == 1
