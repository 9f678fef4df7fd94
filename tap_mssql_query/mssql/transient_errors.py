"""Which errors of SQL Server pass by themselves, and how to wait for that.

Source: Microsoft's lists of transient errors of SQL Server and Azure SQL Database.
"""

from __future__ import annotations

import itertools
import random
import time
from typing import TYPE_CHECKING

from tap_mssql_query.errors import ServerError

if TYPE_CHECKING:
    from collections.abc import Callable

_NUMBERS = frozenset(
    (
        *(64, 121, 233, 1204, 1205, 1222, 4060, 4221, 10053, 10054, 10060, 10928, 10929, 18456),
        *(40197, 40501, 40613, 41301, 41302, 41305, 41325, 41839, 49918, 49919, 49920),
    )
)
_MAY_BE_PERMANENT = frozenset({4060, 18456})
"""A database that is failing over answers these, and so does one that the settings misspell."""

_SQLSTATES = frozenset({"08S01", "HYT00", "HYT01"})

MAX_ATTEMPTS = 5
MAX_SECONDS = 30.0
_FIRST_SECONDS = 1.0


def is_worth_retrying(error: ServerError, attempts: int, seconds: float) -> bool:
    """Whether to try again after so many attempts in so many seconds."""
    if error.number in _MAY_BE_PERMANENT:
        return attempts < 2
    is_transient = error.number in _NUMBERS or error.sqlstate in _SQLSTATES
    return is_transient and attempts < MAX_ATTEMPTS and seconds < MAX_SECONDS


def pause_seconds(attempts: int, dice: float) -> float:
    """How long to wait after so many attempts: full jitter, `dice` being from 0 to 1."""
    return dice * _FIRST_SECONDS * 2.0 ** (attempts - 1)


def run_again(
    run: Callable[[], None],
    *,
    may_run_again: Callable[[], bool],
    say: Callable[[ServerError, float], None],
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Run; again after an error that passes, if it may; `say` is told the error and the pause.

    Raises:
        ServerError: the last error.
    """
    started = time.monotonic()
    for attempts in itertools.count(1):
        try:
            run()
        except ServerError as error:
            seconds = time.monotonic() - started
            if not may_run_again() or not is_worth_retrying(error, attempts, seconds):
                raise
            pause = pause_seconds(attempts, random.random())  # noqa: S311 - jitter
            say(error, pause)
            sleep(pause)
        else:
            break
