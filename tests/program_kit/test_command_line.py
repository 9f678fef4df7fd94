from __future__ import annotations

import subprocess
import sys

import pytest

_PROGRAM = """
import atexit, logging, sys, threading
from program_kit.command_line import run_program

threading.Thread(target=threading.Event().wait, daemon=True).start()
atexit.register(threading.Event().wait)
run_program(lambda: sys.exit({code}), logging.getLogger("p"))
"""


@pytest.mark.parametrize("code", [0, 3])
def test_program_does_not_wait_for_a_thread_that_is_left_in_a_driver(code):
    """Whatever its exit code; a driver would wait at the exit for an answer that never comes."""
    program = _PROGRAM.format(code=code)

    ended = subprocess.run([sys.executable, "-c", program], timeout=30, check=False)

    assert ended.returncode == code
