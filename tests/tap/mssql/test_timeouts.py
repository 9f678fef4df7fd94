from __future__ import annotations

import threading
from typing import NoReturn

import pytest

from tap_mssql_query.mssql.timeouts import wait_for


def test_result_and_error_of_a_call_come_through():
    """What the call returns or raises is what the wait returns or raises."""

    def fail() -> NoReturn:
        raise KeyError("x")

    assert wait_for(lambda: 7, 5.0) == 7
    with pytest.raises(KeyError):
        wait_for(fail, 5.0)


def test_call_that_hangs_is_left():
    """After the time the wait ends, whatever becomes of the call."""
    ended = threading.Event()

    with pytest.raises(TimeoutError):
        wait_for(ended.wait, 0.05)

    ended.set()
