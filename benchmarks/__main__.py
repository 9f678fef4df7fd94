"""`python -m benchmarks`: both programs against what they are compared with, as a table."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.rows import canned_rows, write_singer_lines
from benchmarks.sink import running_sink
from benchmarks.timing import Command, Comparison, compare
from sandbox.sql_server.engine import DuckDBEngine
from sandbox.sql_server.server import SqlServer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_PROGRAMS = Path(sys.executable).parent
_QUERY = "SELECT * FROM rows_of_the_benchmark"
_PASSWORD = "Sandbox-1"


def measure_tap(rows: int, rounds: int, folder: Path) -> Comparison:
    """The tap to /dev/null against a bare fetch of the same rows."""
    engine = DuckDBEngine()
    engine.create_database("shop")
    with SqlServer(engine) as server:
        server.canned[_QUERY] = canned_rows(rows)
        config = {
            "host": "127.0.0.1",
            "port": server.port,
            "database": "shop",
            "encrypt": "no",
            "username": "sa",
            "password": _PASSWORD,
            "reader": "arrow",
            "syncs": [{"name": "s", "type": "track", "query": _QUERY}],
        }
        (folder / "tap.json").write_text(json.dumps(config))
        connection = (
            f"SERVER=127.0.0.1,{server.port};DATABASE=shop;UID=sa;PWD={_PASSWORD};Encrypt=no"
        )
        return compare(
            "tap, against a bare fetch",
            rows,
            Command([str(_PROGRAMS / "tap-mssql-query"), "--config", str(folder / "tap.json")]),
            _baseline("bare_fetch", connection, _QUERY),
            rounds,
        )


def measure_target(rows: int, rounds: int, folder: Path) -> Comparison:
    """The target from a file against a loop written by hand."""
    lines = folder / "lines.jsonl"
    write_singer_lines(lines, rows)
    with running_sink() as url:
        config = {
            "destination": "customerio",
            "endpoint": url,
            "write_key": "k",
            "dead_letter_path": str(folder / "dead_letters.jsonl"),
        }
        (folder / "target.json").write_text(json.dumps(config))
        target = [str(_PROGRAMS / "target-pipelines"), "--config", str(folder / "target.json")]
        return compare(
            "target, against a hand-written loop",
            rows,
            Command(target, stdin=lines),
            _baseline("hand_written", str(lines), url),
            rounds,
        )


def _baseline(name: str, *arguments: str) -> Command:
    return Command([sys.executable, "-m", f"benchmarks.baselines.{name}", *arguments])


MEASUREMENTS: Sequence[Callable[[int, int, Path], Comparison]] = (measure_tap, measure_target)


def main() -> None:
    """Measure everything and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    table = Table("", title=f"{options.rows:,} rows of 12 columns, whole processes")
    for heading in ("rows/s", "baseline rows/s", "ratio", "peak MB"):
        table.add_column(heading, justify="right")
    console = Console(stderr=True)
    with tempfile.TemporaryDirectory() as folder:
        for measure in track(MEASUREMENTS, console=console, disable=not console.is_terminal):
            done = measure(options.rows, options.rounds, Path(folder))
            table.add_row(
                done.name,
                f"{done.rows / done.seconds:,.0f}",
                f"{done.rows / done.baseline_seconds:,.0f}",
                f"{done.ratio:.2f}",
                f"{done.peak_megabytes:.0f}",
            )
    Console().print(table)


if __name__ == "__main__":
    main()
