from __future__ import annotations

import pytest

from mssql_reverse_etl.cluster.attempts import Attempts

ALLOWED = {
    "first attempt": ({"a", "b"}, set(), set()),
    "one failed": ({"a", "b", "c"}, {"a"}, {"b", "c"}),
    "two failed": ({"a", "b", "c"}, {"a", "b"}, {"c"}),
    "all failed": ({"a", "b"}, {"a", "b"}, set()),
    "one that failed has left": ({"b"}, {"a"}, {"b"}),
}


@pytest.mark.parametrize(("live", "failed_on", "allowed"), ALLOWED.values(), ids=list(ALLOWED))
def test_workers_on_which_a_task_failed_are_avoided(live, failed_on, allowed):
    """While any other is alive; an empty set is no restriction."""
    attempts = Attempts(failed_on=failed_on)

    attempts.restrict(live)

    assert attempts.allowed == allowed


def test_submission_is_stranded_when_all_of_its_workers_have_left():
    """One without a restriction never is."""
    attempts = Attempts(failed_on={"a"})
    attempts.restrict({"a", "b", "c"})

    assert attempts.is_stranded({"a"})
    assert not attempts.is_stranded({"a", "c"})
    assert not Attempts().is_stranded({"a"})


def test_workers_that_left_count_as_failed():
    """If one returns under the same address, others come first."""
    attempts = Attempts(failed_on={"a"})
    attempts.restrict({"a", "b"})
    attempts.withdraw()

    attempts.restrict({"a", "b", "c"})

    assert attempts.allowed == {"c"}


def test_resubmissions_are_limited():
    """A task that ends each worker that runs it must fail at last."""
    attempts = Attempts()
    while attempts.may_resubmit:
        attempts.withdraw()

    assert attempts.withdrawals == 3
