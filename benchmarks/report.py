"""Reports the results: a table on stdout, results.json, and the table in the docs."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.figures import Figure, Goal
    from benchmarks.timing import Command, Runs

HEADINGS = ("measured", "figure", "baseline", "its figure", "ratio", "goal", "met")
BEGIN, END = "<!-- begin of the table -->", "<!-- end of the table -->"


def describe_machine() -> dict[str, Any]:
    """The machine that the figures depend on, without anything that identifies it."""
    return {
        "processors": os.cpu_count(),
        "model": _processor_model(),
        "memory_gigabytes": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9),
        "system": platform.system(),
        "python": platform.python_version(),
    }


def _processor_model() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.machine())


def describe_figure(figure: Figure) -> dict[str, Any]:
    """A figure as JSON."""
    goal = figure.goal
    return {
        "measurement": figure.measurement,
        "measured": goal.title,
        "unit": goal.unit,
        "figure": round(figure.value, 3),
        "baseline": _describe_baseline(goal),
        "baseline_figure": _rounded(figure.baseline_value),
        "ratio": _rounded(figure.ratio),
        "goal": goal.limit,
        "direction": goal.direction if goal.limit is not None else None,
        "met": figure.is_met,
    }


def _describe_baseline(goal: Goal) -> str | None:
    names = " or ".join(goal.baselines)
    return (f"{goal.times} times {names}" if goal.times > 1 else names) or None


def describe_runs(commands: Mapping[str, Command], runs: Runs) -> dict[str, Any]:
    """All runs of a measurement's commands as JSON."""
    return {
        name: {
            "rows": command.rows,
            "columns": command.columns,
            "seconds": [round(run.seconds, 3) for run in runs[name]],
            "cpu_seconds": [round(run.cpu_seconds, 3) for run in runs[name]],
            "peak_megabytes": [round(run.peak_megabytes, 1) for run in runs[name]],
        }
        for name, command in commands.items()
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def rows_of_table(figures: Sequence[dict[str, Any]]) -> list[tuple[str, ...]]:
    """The cells of the table, under HEADINGS."""
    return [
        (
            figure["measured"],
            f"{_number(figure['figure'])} {figure['unit']}",
            figure["baseline"] or "",
            _number(figure["baseline_figure"]),
            "" if figure["ratio"] is None else f"{figure['ratio']:.2f}",
            _goal(figure),
            {True: "yes", False: "no", None: ""}[figure["met"]],
        )
        for figure in figures
    ]


def _goal(figure: dict[str, Any]) -> str:
    if figure["goal"] is None:
        return ""
    return f"{figure['direction']} {figure['goal']:g}"


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


def table_of(results: dict[str, Any]) -> Table:
    """The table for a terminal."""
    table = Table(*HEADINGS, title="Whole programs, measured in turns")
    for cells in rows_of_table(results["figures"]):
        table.add_row(*cells, style="" if cells[-1] != "no" else "bold red")
    return table


def write_results(results: dict[str, Any], path: Path) -> None:
    """Write results.json."""
    path.write_text(f"{json.dumps(results, indent=2)}\n", encoding="utf-8")


def update_page(page: Path, results: dict[str, Any]) -> None:
    """Replace the table between the markers of a page. Raises ValueError if they are missing."""
    text = page.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{page.name} lacks the markers of the table: {BEGIN} and {END}")
    table = f"{_caption(results)}\n\n{_markdown(results['figures'])}"
    page.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}", encoding="utf-8")


def _caption(results: dict[str, Any]) -> str:
    machine = results["machine"]
    scale = results["scale"]
    return (
        f"{machine['processors']} processors ({machine['model']}), {machine['system']}, Python "
        f"{machine['python']}, server: {results['server']}. Tap and pipe {scale['tap_rows']:,} "
        f"rows, target {scale['target_rows']:,}; singer-sdk {scale['sdk_rows']:,} and "
        f"customerio-cdp-analytics {scale['official_sdk_rows']:,}, compared by rows/s; few rows "
        f"{scale['few_rows']:,}, many {scale['many_rows']:,}. "
        f"Took {results['seconds'] / 60:.1f} minutes."
    )


def _markdown(figures: Sequence[dict[str, Any]]) -> str:
    cells = [HEADINGS, ("---", *["---:" if n in {1, 3, 4} else "---" for n in range(1, 7)])]
    return "\n".join(
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"
        for row in [*cells, *rows_of_table(figures)]
    )
