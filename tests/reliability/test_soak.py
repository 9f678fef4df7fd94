from __future__ import annotations

import pytest

from tests.reliability.oracle import Verdict
from tests.reliability.registry import Outcome, Soak, SoakRow, catching, describe, run_cases
from tests.reliability.soak import (
    BEGIN,
    END,
    PAGE,
    describe_run,
    read_options,
    run_scenarios,
    write_figures,
)

ROW = SoakRow("kill -9", cases=2000, faults=1990, verdict=Verdict(repeats=12), seconds=61.4)


def test_rows_of_all_scenarios_are_in_one_table(fork_server, tmp_path):
    """A scenario gets the counts of the run, and its rows are in the table."""

    def scenario(soak: Soak) -> list[SoakRow]:
        return [SoakRow("mine", soak.count(600), 3, Verdict(missing=1), 2.0)]

    rows = run_scenarios(Soak(fork_server, tmp_path, 1, minutes=6), [scenario])

    assert describe(rows).splitlines()[2].startswith("| mine | 60 | 3 | 0 | 1 | 0 |")


def test_case_that_raises_is_counted_and_reported(fork_server, tmp_path):
    """The other cases still run, and the row has broken a promise."""
    reported = list[str]()

    def try_case(number: int) -> Outcome:
        assert number != 2, "it hangs"
        return Outcome(was_injected=number > 0, verdict=Verdict(repeats=number))

    soak = Soak(fork_server, tmp_path, 1, report=reported.append)
    row = run_cases(soak, "mine", range(4), try_case)

    assert (row.cases, row.faults, row.failed, row.verdict.repeats) == (4, 3, 1, 4)
    assert row.has_broken_a_promise
    assert len(reported) == 1
    assert "mine: 2: AssertionError: it hangs" in reported[0]


def test_case_that_hangs_does_not_end_the_others():
    """A chain of runs that raises is a problem, whatever else it would have returned."""

    def hang(number: int) -> int:
        if number:
            raise TimeoutError("a program did not end")
        return number

    assert catching(hang)(0) == (0, "")
    assert catching(hang)(1) == (None, "TimeoutError: a program did not end")


def test_figures_replace_the_last_ones(tmp_path):
    """The text around the markers stays, and the run's size and seed are stated."""
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}old\n{END}after\n")
    options = read_options(["--minutes", "6", "--seed", "5"])

    write_figures(page, describe_run(options, [ROW], day="2026-03-02", seconds=372))

    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
    assert "A run of 10% of the full counts on 2026-03-02, seed 5: 6.2 minutes." in text
    assert "| kill -9 | 2,000 | 1,990 | 12 | 0 | 0 | 0 | 0 | 0 | 0 | 0 | 0 | 61 |" in text


def test_page_without_markers_is_refused(tmp_path):
    """Figures are not written to a page without markers."""
    page = tmp_path / "page.md"
    page.write_text("nothing\n")

    with pytest.raises(ValueError, match="markers"):
        write_figures(page, "figures")


def test_page_of_this_repository_has_the_markers():
    """docs/reliability.md has both markers, in order."""
    text = PAGE.read_text()

    assert text.index(BEGIN) < text.index(END)
