"""Fixtures for every test: a clean environment, default signals, no real sleeping.

Programs that tests start may write bytecode, whatever the environment says: the tests start
hundreds, Meltano among them, which takes seconds to compile.
"""

from __future__ import annotations

import os
import signal
import sys
import time

import pytest

_INHERITED = ("TAP_MSSQL_QUERY_", "TARGET_PIPELINES_", "MELTANO_")
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")

# Before pytest-xdist starts its workers, which inherit it.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove settings and proxies of the developer's shell."""
    for name in list(os.environ):
        if name.startswith(_INHERITED) or name.lower() in _PROXIES:
            monkeypatch.delenv(name)


@pytest.fixture(scope="session", autouse=True)
def default_signals() -> None:
    """Start programs with default signals, also if this process was started with ignored ones.

    A shell ignores SIGINT for a background job, nohup SIGHUP, and programs inherit that. A handler
    is not inherited: one that does nothing keeps this process as it was started.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda *_: None)


@pytest.fixture(autouse=True)
def no_real_sleeping(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail a test that sleeps: clocks are passed in, and tests wait for events."""
    sleep = time.sleep

    def refuse(seconds: float) -> None:
        if (
            sys._getframe(1).f_globals["__name__"] == "subprocess"
        ):  # it polls for the end of its child
            sleep(seconds)
            return
        raise AssertionError(f"a test slept {seconds} s in this process; wait for an event instead")

    monkeypatch.setattr(time, "sleep", refuse)
