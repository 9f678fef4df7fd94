"""`python -m benchmarks`: measures both programs and their baselines, and prints a table."""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import Progress

from benchmarks.bench import OTHER_PYTHON, ROOT, Bench
from benchmarks.figures import evaluate
from benchmarks.measurements import LATENCY_SECONDS, MEASUREMENTS, Measurement, Scale
from benchmarks.report import (
    describe_figure,
    describe_machine,
    describe_runs,
    table_of,
    update_page,
    write_results,
)
from benchmarks.server import running_server, server_name
from benchmarks.sink import running_sink
from benchmarks.timing import run_in_turns

if TYPE_CHECKING:
    from collections.abc import Sequence

_QUICK_ROWS = 20_000
_WIDTH = 140  # if stdout is not a terminal
_OFFICIAL_SDK = "customerio-cdp-analytics"
_RESULTS = ROOT / "benchmarks" / "results.json"
_PAGE = ROOT / "docs" / "performance.md"
_PLOTS = ROOT / "docs" / "performance"


def measure(measurements: Sequence[Measurement], scale: Scale, rounds: int | None) -> Any:
    """Run measurements; the results as JSON. Raises CalledProcessError."""
    started = time.monotonic()
    figures: list[dict[str, Any]] = []
    runs: dict[str, Any] = {}
    console = Console(stderr=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        running_server(frozenset(scale.sizes)) as server,
        running_sink() as sink,
        running_sink(LATENCY_SECONDS) as slow_sink,
        Progress(console=console, disable=not console.is_terminal) as progress,
    ):
        bench = Bench(Path(folder), server, sink, slow_sink)
        for measurement in measurements:
            commands = measurement.commands(bench, scale)
            if not OTHER_PYTHON.exists() and _OFFICIAL_SDK in commands:
                del commands[_OFFICIAL_SDK]
                console.print(f"{_OFFICIAL_SDK} is not installed; `make bench` installs it.")
            turns = rounds or measurement.rounds
            task = progress.add_task(measurement.title, total=turns * len(commands))
            done = run_in_turns(commands, turns, partial(progress.advance, task))
            evaluated = evaluate(measurement.name, measurement.goals, commands, done)
            figures.extend(map(describe_figure, evaluated))
            runs[measurement.name] = describe_runs(commands, done)
    return {
        "machine": describe_machine(),
        "server": server_name(),
        "scale": {**asdict(scale), "many_rows": scale.many_rows, "wide_rows": scale.wide_rows},
        "seconds": round(time.monotonic() - started),
        "figures": figures,
        "runs": runs,
    }


def publish() -> None:
    """Update plots and table in docs/ from results.json. Raises CalledProcessError."""
    command = (str(OTHER_PYTHON), "-m", "benchmarks.plots", str(_RESULTS), str(_PLOTS))
    subprocess.run(command, check=True, cwd=ROOT)
    update_page(_PAGE, json.loads(_RESULTS.read_text(encoding="utf-8")))


def _parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    names = [measurement.name for measurement in MEASUREMENTS]
    parser.add_argument("--only", nargs="+", choices=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--rows", type=int, help="rows of the tap; the others in proportion")
    parser.add_argument("--rounds", type=int, help="override each measurement's number")
    parser.add_argument("--quick", action="store_true", help="few rows: a test, not a measurement")
    parser.add_argument(
        "--publish", action="store_true", help="only update docs/ from results.json"
    )
    parser.add_argument("--output", type=Path, help="write results.json to this path")
    return parser.parse_args()


def main() -> None:
    """Measure, print the table and, after a complete run, write results, plots and docs."""
    options = _parse_options()
    if options.publish:
        publish()
        return
    rows = _QUICK_ROWS if options.quick else options.rows
    scale = Scale.of(rows) if rows else Scale()
    selected = [it for it in MEASUREMENTS if not options.only or it.name in options.only]
    results = measure(selected, scale, 1 if options.quick else options.rounds)
    console = Console()
    if not console.is_terminal:
        console = Console(width=_WIDTH)
    console.print(table_of(results))
    if options.output:
        write_results(results, options.output)
    elif scale == Scale() and not options.only:
        write_results(results, _RESULTS)
        publish()


if __name__ == "__main__":
    main()
