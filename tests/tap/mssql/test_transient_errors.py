from __future__ import annotations

import pytest

from tap_mssql_query.errors import ConnectionFailed, QueryFailed
from tap_mssql_query.mssql.transient_errors import (
    MAX_ATTEMPTS,
    MAX_SECONDS,
    is_worth_retrying,
    retry_delay_seconds,
    retry_transient_errors,
)

TRANSIENT = [
    *(64, 121, 233, 1204, 1205, 1222, 4221, 10053, 10054, 10060, 10928, 10929, 40197, 40501),
    *(40613, 41301, 41302, 41305, 41325, 41839, 49918, 49919, 49920),
]


@pytest.mark.parametrize("number", TRANSIENT)
def test_transient_error_is_retried(number):
    """Each of Microsoft's transient errors is retried a bounded number of times."""
    error = QueryFailed("", number=number)

    assert is_worth_retrying(error, 1, 0.0)
    assert not is_worth_retrying(error, MAX_ATTEMPTS, 0.0)
    assert not is_worth_retrying(error, 1, MAX_SECONDS)


@pytest.mark.parametrize("number", [102, 207, 208, 229, 8115, 8134, 50000, None])
def test_other_error_is_not_retried(number):
    """A permanent error is not retried."""
    assert not is_worth_retrying(QueryFailed("", number=number, sqlstate="42000"), 1, 0.0)


@pytest.mark.parametrize(
    "number", [916, 4060, 4064, 18450, 18452, 18456, 18470, 18486, 18487, 18488]
)
def test_refused_login_is_never_retried(number):
    """Each further attempt would count towards locking the account."""
    assert not is_worth_retrying(ConnectionFailed("", number=number, sqlstate="HYT00"), 1, 0.0)


@pytest.mark.parametrize("sqlstate", ["08S01", "HYT00", "HYT01"])
def test_lost_connection_is_retried(sqlstate):
    """Without SQL Server's number the driver's SQLSTATE decides."""
    assert is_worth_retrying(QueryFailed("", sqlstate=sqlstate), 1, 0.0)


@pytest.mark.parametrize(("attempts", "ceiling"), [(1, 1.0), (2, 2.0), (4, 8.0)])
def test_delays_grow_with_full_jitter(attempts, ceiling):
    """Between zero and a maximum that doubles."""
    assert retry_delay_seconds(attempts, 0.0) == 0.0
    assert retry_delay_seconds(attempts, 1.0) == ceiling


def _failing(times: int, number: int = 1205) -> list[QueryFailed]:
    return [QueryFailed("", number=number) for _ in range(times)]


def _run_against(errors: list[QueryFailed], *, may_retry: bool = True) -> int:
    """The number of runs of something that first fails with these errors, without delays."""
    runs = 0

    def run() -> None:
        nonlocal runs
        runs += 1
        if errors:
            raise errors.pop()

    retry_transient_errors(
        run, may_retry=lambda: may_retry, on_retry=lambda *_: None, sleep=lambda _: None
    )
    return runs


def test_run_is_repeated_until_it_succeeds():
    """Two deadlocks, then success: three runs."""
    assert _run_against(_failing(2)) == 3


@pytest.mark.parametrize("errors", [_failing(MAX_ATTEMPTS), _failing(1, number=207)])
def test_last_error_is_raised(errors):
    """After too many attempts, or a permanent error, that error is raised."""
    with pytest.raises(QueryFailed):
        _run_against(errors)


def test_run_that_may_not_be_retried_is_not():
    """Once rows are written, a retry would send them twice."""
    with pytest.raises(QueryFailed):
        _run_against(_failing(1), may_retry=False)
