"""`make soak`: every scenario with large counts, as one table in docs/reliability.md.

Run it with `python -m tests.reliability.soak [OPTION…]`.
The exit code is 1 if a promise was broken; stderr shows the case. `--only` runs some scenarios and
leaves the page as it is.
"""

from __future__ import annotations

import argparse
import functools
import random
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tests.packaging.conftest import ROOT
from tests.reliability import (
    boundary_repeats,
    failing_streams,
    fuzzing,
    histories,
    http_responses,
    kills,
    long_run,
    network,
    network_sql,
    resources,
    resuming,
    signals,
    sql_errors,
)
from tests.reliability.programs import ForkServer
from tests.reliability.registry import FULL_MINUTES, Soak, SoakRow, describe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    Scenario = Callable[[Soak], Iterable[SoakRow]]

SCENARIOS: Sequence[Scenario] = (
    kills.soak,
    signals.soak,
    network.soak,
    network_sql.soak,
    sql_errors.soak,
    http_responses.soak,
    histories.soak,
    boundary_repeats.soak,
    resources.soak,
    failing_streams.soak,
    fuzzing.soak,
    long_run.soak,
    resuming.soak,
)
"""The rows of the table, in order; a new scenario is a new line here."""
_STANDARD_MINUTES = 6
"""The size that docs/reliability.md describes, and that passes with many seeds in a row."""
PAGE = ROOT / "docs" / "reliability.md"
BEGIN = "<!-- figures: written by `make soak` -->\n"
END = "<!-- end of figures -->\n"


@dataclass(frozen=True, slots=True)
class Options:
    """The options of the command line."""

    minutes: float
    seed: int
    page: Path
    only: Sequence[str]


def name_of(scenario: Scenario) -> str:
    """The name of a scenario: its module's."""
    return scenario.__module__.rpartition(".")[2]


def read_options(arguments: Sequence[str] | None = None) -> Options:
    """Parse the command line; the default seed is random."""
    parser = argparse.ArgumentParser(prog="soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=_STANDARD_MINUTES)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--page", type=Path, default=PAGE)
    parser.add_argument("--only", nargs="+", default=(), choices=[*map(name_of, SCENARIOS)])
    return Options(**vars(parser.parse_args(arguments)))


def run_scenarios(soak: Soak, scenarios: Iterable[Scenario] = SCENARIOS) -> list[SoakRow]:
    """The rows of all scenarios, in order."""
    return [row for run in scenarios for row in run(soak)]


def write_figures(page: Path, figures: str) -> None:
    """Replace the figures between the markers of a page. Raises ValueError if it has none."""
    head, begin, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{page.name} has no markers")
    page.write_text(f"{head}{BEGIN}{figures}{END}{tail}", encoding="utf-8")


def describe_run(options: Options, rows: Sequence[SoakRow], *, day: str, seconds: float) -> str:
    """The table, with the size, date and seed of the run."""
    share = min(options.minutes / FULL_MINUTES, 1)
    size = "A full run" if share == 1 else f"A run of {share:.0%} of the full counts"
    return (
        f"\n{size} on {day}, seed {options.seed}: {seconds / 60:.1f} minutes.\n\n{describe(rows)}\n"
    )


def _show_progress(text: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\033[K{text}")
        sys.stderr.flush()


def _report(failures: list[str], text: str) -> None:
    failures.append(text)
    sys.stderr.write(f"\n{text}\n")


def main() -> int:
    """Run everything, write the page, and return the exit code."""
    options, failures = read_options(), list[str]()
    sys.stderr.write(f"seed: {options.seed}\n")
    began = time.monotonic()
    with ForkServer() as fork_server, tempfile.TemporaryDirectory(prefix="soak-") as folder:
        report = functools.partial(_report, failures)
        soak = Soak(
            fork_server, Path(folder), options.seed, options.minutes, _show_progress, report
        )
        chosen = [run for run in SCENARIOS if not options.only or name_of(run) in options.only]
        rows = run_scenarios(soak, chosen)
    seconds, day = time.monotonic() - began, datetime.now(UTC).date().isoformat()
    figures = describe_run(options, rows, day=day, seconds=seconds)
    if not options.only:
        write_figures(options.page, figures)
    sys.stdout.write(figures)
    if not options.only and not sum(row.verdict.repeats for row in rows):
        report("No call was repeated: the faults had no effect.")
    return 1 if failures or any(row.has_broken_a_promise for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
