"""Which errors of SQL Server are transient, and how to retry after them.

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
        *(64, 121, 233, 1204, 1205, 1222, 4221, 10053, 10054, 10060, 10928, 10929),
        *(40197, 40501, 40613, 41301, 41302, 41305, 41325, 41839, 49918, 49919, 49920),
    )
)
_REFUSED_LOGINS = frozenset({916, 4060, 4062, 4063, 4064, *range(18450, 18490)}) - {18451}
"""Logins that the server refused. Each further attempt counts towards locking the account.

18451 is a server that is shutting down.
"""

_SQLSTATES = frozenset({"08S01", "40001", "HYT00", "HYT01"})
"""Lost connections, deadlocks (40001) and timeouts: known in every language of the server."""

MAX_ATTEMPTS = 5
MAX_SECONDS = 30.0
_FIRST_SECONDS = 1.0


def is_worth_retrying(error: ServerError, attempts: int, seconds: float) -> bool:
    """Whether to retry, after this many attempts in this many seconds."""
    if error.number in _REFUSED_LOGINS:
        return False
    is_transient = error.number in _NUMBERS or error.sqlstate in _SQLSTATES
    return is_transient and attempts < MAX_ATTEMPTS and seconds < MAX_SECONDS


def retry_delay_seconds(attempts: int, jitter: float) -> float:
    """The delay after this many attempts: full jitter, `jitter` being between 0 and 1."""
    return jitter * _FIRST_SECONDS * 2.0 ** (attempts - 1)


def retry_transient_errors(
    run: Callable[[], None],
    *,
    may_retry: Callable[[], bool],
    on_retry: Callable[[ServerError, float], None],
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Call `run`; retry transient errors while `may_retry()`.

    `on_retry(error, delay)` is called before each delay. Raises the last ServerError.
    """
    started = time.monotonic()
    for attempts in itertools.count(1):
        try:
            run()
        except ServerError as error:
            seconds = time.monotonic() - started
            if not may_retry() or not is_worth_retrying(error, attempts, seconds):
                raise
            delay = retry_delay_seconds(attempts, random.random())  # noqa: S311 - jitter
            on_retry(error, delay)
            sleep(delay)
        else:
            break
