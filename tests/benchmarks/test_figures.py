from __future__ import annotations

import json

import pytest

from benchmarks.figures import Goal, evaluate
from benchmarks.measurements import MEASUREMENTS
from benchmarks.report import BEGIN, END, describe_figure, rows_of_table, update_page
from benchmarks.timing import Command, Run
from tests.packaging.conftest import ROOT

PAGE = ROOT / "docs" / "performance.md"
RESULTS = json.loads((ROOT / "benchmarks" / "results.json").read_text())


def _judge(goal: Goal, **runs: list[Run]):
    commands = {name: Command((name,), rows=100, columns=2) for name in runs}
    (figure,) = evaluate("m", [goal], commands, runs)
    return figure


def _runs(*seconds: float, megabytes: float = 1) -> list[Run]:
    return [Run(value, value, megabytes) for value in seconds]


@pytest.mark.parametrize(
    ("seconds", "met"),
    [(1.9, True), (2.0, True), (2.1, False)],
    ids=["faster", "just", "slower"],
)
def test_speed_under_the_goal_is_not_met(seconds, met):
    """A figure just below the limit of half the baseline's speed does not meet it."""
    goal = Goal("t", "ours", "rows/s", ("theirs",), 0.5)

    assert _judge(goal, ours=_runs(seconds), theirs=_runs(1.0)).is_met is met


@pytest.mark.parametrize(("megabytes", "met"), [(250, True), (251, False)], ids=["just", "more"])
def test_memory_over_the_limit_is_not_met(megabytes, met):
    """A limit without a baseline applies to the figure itself."""
    goal = Goal("t", "ours", "MB", (), 250, "at most")

    assert _judge(goal, ours=_runs(1, megabytes=megabytes)).is_met is met


def test_slower_half_is_the_baseline_of_both():
    """Of several baselines the slowest counts."""
    goal = Goal("t", "pipe", "rows/s", ("tap", "target"), 0.8)
    figure = _judge(goal, pipe=_runs(4), tap=_runs(1), target=_runs(2))

    assert (figure.baseline_value, figure.ratio, figure.is_met) == (50, 0.5, False)


def test_efficiency_is_the_share_of_so_many_times_the_baseline():
    """Four workers that are three times as fast as one have an efficiency of 0.75."""
    goal = Goal("t", "four", "rows/s", ("one",), times=4)
    figure = _judge(goal, four=_runs(1), one=_runs(3))

    assert figure.ratio == pytest.approx(0.75)
    assert describe_figure(figure)["baseline"] == "4 times one"


def test_best_time_counts_and_the_worst_memory():
    """Speed is the best run's on both sides; memory and CPU time are the worst run's."""
    runs = [Run(2, 2, 80), Run(1, 1, 90)]

    assert _judge(Goal("t", "ours", "values/s"), ours=runs).value == 200
    assert _judge(Goal("t", "ours", "MB"), ours=runs).value == 90
    assert _judge(Goal("t", "ours", "CPU s"), ours=runs).value == 2


def test_what_was_not_run_has_no_figure():
    """A baseline that is not installed has no rows; the others keep theirs."""
    goals = [Goal("t", "ours", "rows/s", ("absent",), 8), Goal("t", "ours")]
    (figure,) = evaluate("m", goals, {"ours": Command(("x",), rows=1)}, {"ours": _runs(1)})

    assert figure.goal.baselines == ()


@pytest.mark.parametrize(
    ("limit", "word"), [(0.9, "no"), (0.4, "yes"), (None, "")], ids=["no", "yes", "no goal"]
)
def test_table_says_whether_the_goal_is_met(limit, word):
    """The last cell says whether the goal is met; without a goal it is empty."""
    goal = Goal("t", "ours", "rows/s", ("theirs",), limit)
    figure = describe_figure(_judge(goal, ours=_runs(2), theirs=_runs(1)))

    assert rows_of_table([figure])[0][-3:] == (
        "0.50",
        "" if limit is None else f"at least {limit}",
        word,
    )


def test_committed_results_say_met_only_where_it_is_so():
    """Whether a goal in results.json is met follows from its figures and the current goals."""
    goals = [
        (measurement.name, goal.title, goal.limit)
        for measurement in MEASUREMENTS
        for goal in measurement.goals
    ]
    figures = RESULTS["figures"]

    assert [(it["measurement"], it["measured"], it["goal"]) for it in figures] == goals
    for it in figures:
        compared = it["figure"] if it["ratio"] is None else it["ratio"]
        if it["goal"] is None:
            assert it["met"] is None
        elif it["direction"] == "at least":
            assert it["met"] == (compared >= it["goal"])
        else:
            assert it["met"] == (compared <= it["goal"])


def test_page_shows_the_committed_results(tmp_path):
    """docs/performance.md has the table of results.json; run `python -m benchmarks --publish`."""
    page = tmp_path / "performance.md"
    page.write_text(f"{BEGIN}\n{END}\n")
    update_page(page, RESULTS)

    assert page.read_text().strip() in PAGE.read_text()


def test_page_shows_the_plots():
    """The page shows each plot of the benchmark."""
    plots = sorted(path.name for path in (ROOT / "docs" / "performance").glob("*.svg"))

    assert plots == ["memory.svg", "throughput.svg"]
    assert [name for name in plots if f"](performance/{name})" not in PAGE.read_text()] == []


def test_results_do_not_tell_whose_machine_it_was():
    """The results describe the machine only by what the figures depend on."""
    assert set(RESULTS["machine"]) == {
        "processors",
        "model",
        "memory_gigabytes",
        "system",
        "python",
    }
