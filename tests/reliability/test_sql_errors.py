"""Errors of SQL Server, by code and by when they come: tried again or not, and no STATE ahead."""

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
    PERHAPS,
    READERS,
    ROWS,
    fail_login,
    fail_logins,
    fail_query,
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
def test_error_of_a_query_is_tried_again_only_while_no_row_is_out(
    programs, server, number, phase, reader
):
    """A transient code before the rows is made up for; all else fails the sync, and only that."""
    assert not fail_query(programs, server, number, phase, reader).verdict.violations


@pytest.mark.parametrize(("number", "reader"), sample_of(LOGINS, 13), ids=str)
def test_error_of_a_login_is_tried_again_if_it_may_pass(programs, server, number, reader):
    """A server that is failing over refuses logins for a moment."""
    assert not fail_login(programs, server, number, reader).verdict.violations


@pytest.mark.parametrize("number", PERHAPS)
@pytest.mark.parametrize("reader", READERS)
def test_error_that_may_be_permanent_ends_after_two_logins(programs, server, number, reader):
    """A misspelt database or password locks no account."""
    assert not fail_logins(programs, server, number, reader).verdict.violations


def test_wrong_classification_of_an_error_is_noticed(programs, server, code):
    """A deadlock taken for permanent and a syntax error taken for transient fail."""
    code.replace(sql_errors, sql_errors.PERMANENT, {1205: ""})

    with pytest.raises(AssertionError):
        fail_query(programs, server, 1205, "before rows", "odbc")
    with pytest.raises(AssertionError):
        fail_query(programs, server, 102, "before rows", "odbc")
