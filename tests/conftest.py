"""Fixtures for every test: a clean environment and no real sleeping."""

from __future__ import annotations

import os
import sys
import time

import pytest

_INHERITED = ("TAP_MSSQL_QUERY_", "TARGET_PIPELINES_", "MELTANO_")
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove settings and proxies of the developer's shell."""
    for name in list(os.environ):
        if name.startswith(_INHERITED) or name.lower() in _PROXIES:
            monkeypatch.delenv(name)


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
