from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.reliability import sql_errors
from tests.reliability.counts import sample_of
from tests.reliability.shop_servers import shop_server
from tests.reliability.single_runs import Programs
from tests.reliability.sql_errors import (
    CELLS,
    LOGINS,
    READERS,
    REFUSED,
    ROWS,
    fail_login,
    fail_query,
    refuse_logins,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.sql_server.server import SqlServer


@pytest.fixture(scope="module")
def server() -> Iterator[SqlServer]:
    """A SQL Server with a table."""
    with shop_server(ROWS) as server:
        yield server


@pytest.fixture
def programs(fork_server, tmp_path) -> Programs:
    """Both programs."""
    return Programs(fork_server, tmp_path)


@pytest.mark.parametrize(("number", "phase", "reader"), sample_of(CELLS, 37), ids=str)
def test_query_error_is_retried_only_before_the_first_row(programs, server, number, phase, reader):
    """A transient error before the rows is retried; any other fails this sync and no other."""
    tried = fail_query(programs, server, number, phase, reader)

    assert tried.was_injected
    assert not tried.verdict.violations


@pytest.mark.parametrize(("number", "reader"), sample_of(LOGINS, 13), ids=str)
def test_transient_login_error_is_retried(programs, server, number, reader):
    """A server that fails over rejects logins for a short time."""
    tried = fail_login(programs, server, number, reader)

    assert tried.was_injected
    assert not tried.verdict.violations


@pytest.mark.parametrize("number", REFUSED)
@pytest.mark.parametrize("reader", READERS)
def test_refused_login_is_never_retried(programs, server, number, reader):
    """A misspelled database or password locks no account."""
    assert not refuse_logins(programs, server, number, reader).verdict.violations


def test_wrong_classification_of_an_error_is_noticed(programs, server, code):
    """A deadlock taken for permanent and a syntax error taken for transient fail."""
    code.replace(sql_errors, sql_errors.PERMANENT, {1205: ""})

    with pytest.raises(AssertionError):
        fail_query(programs, server, 1205, "before rows", "odbc")
    with pytest.raises(AssertionError):
        fail_query(programs, server, 102, "before rows", "odbc")
