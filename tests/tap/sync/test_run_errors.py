from __future__ import annotations

import pytest

from tap_mssql_query.errors import ConfigurationError, QueryFailed, StateError, TapError
from tap_mssql_query.sync.run_errors import RunErrors, describe_failure


@pytest.mark.parametrize(
    ("errors", "exit_code"),
    [
        ([StateError("")], 2),
        ([StateError(""), QueryFailed("")], 3),
        ([QueryFailed(""), OverflowError(), ConfigurationError("")], 1),
    ],
)
def test_worst_failure_decides_the_exit_code(errors, exit_code):
    """A bug is worse than a failed server, which is worse than a wrong setting."""
    run = RunErrors()
    for number, error in enumerate(errors):
        run.add_failure(f"s{number}", error)

    with pytest.raises(TapError, match=r"failed and keeps? (its|their) bookmarks?: s0") as caught:
        run.raise_if_failed()

    assert caught.value.exit_code == exit_code


def test_bug_is_described_without_its_text():
    """The text of an exception may hold a value of a row; its kind and place do not."""
    try:
        int("c4n4ry")
    except ValueError as error:
        text = describe_failure(error)

    assert "ValueError at" in text
    assert "test_run_errors.py" in text
    assert "c4n4ry" not in text
