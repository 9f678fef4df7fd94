from __future__ import annotations

import threading
from typing import NoReturn

import pytest

from tap_mssql_query.mssql.timeouts import call_with_timeout


def test_result_and_error_of_a_call_are_passed_on():
    """The result or error of the call is passed on."""

    def fail() -> NoReturn:
        raise KeyError("x")

    assert call_with_timeout(lambda: 7, 5.0) == 7
    with pytest.raises(KeyError):
        call_with_timeout(fail, 5.0)


def test_call_that_hangs_is_abandoned():
    """After the timeout the wait ends, although the call goes on."""
    ended = threading.Event()

    with pytest.raises(TimeoutError):
        call_with_timeout(ended.wait, 0.05)

    ended.set()
