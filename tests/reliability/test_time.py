from __future__ import annotations

import pytest

from tests.reliability.histories import Rules, run_histories

SEED = 20_260_306


def test_no_row_is_missed_inside_the_window():
    """A row that is committed within `lookback_seconds` of its stamp is read by some poll."""
    counts = run_histories(10_000, SEED)

    assert counts.missed == 0, SEED
    assert counts.seen_twice > 0


@pytest.mark.parametrize(
    "rules",
    [
        Rules(late_seconds=600),
        Rules(includes_equal=False),
        Rules(clock_error=3600),
        Rules(covers_overlap=False),
    ],
    ids=["later than the lookback", "> for >=", "client's clock", "the hour that comes twice"],
)
def test_rows_are_missed_outside_of_it(rules):
    """What the documentation excludes does lose rows, so that the judge is seen to notice."""
    assert run_histories(300, SEED, rules).missed > 0, SEED


def test_clock_that_is_behind_only_repeats():
    """A bookmark that is an hour early makes repeats, and misses nothing."""
    assert run_histories(300, SEED, Rules(clock_error=-3600)).missed == 0, SEED


def test_histories_come_again_with_their_seed():
    """A history that failed can be tried again."""
    assert run_histories(20, 1) == run_histories(20, 1) != run_histories(20, 2)
