"""Builds the commands to measure, with their settings and their input."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.rows import NARROW, PARTITIONS, partitioned_query, query_for
from benchmarks.timing import Command, Feed

ROOT = Path(__file__).parents[1]
PROGRAMS = Path(sys.executable).parent
OTHER_PYTHON = ROOT / ".venv-bench" / "bin" / "python"
"""Has Customer.io's package and matplotlib, kept out of the environment that is measured."""


@dataclass(frozen=True)
class Bench:
    """A folder for settings and input, the server to read from and the sinks to send to."""

    folder: Path
    server: dict[str, Any]
    sink: str
    slow_sink: str

    def tap(self, rows: int, columns: int = NARROW) -> Command:
        """The tap, to /dev/null."""
        argv = (str(PROGRAMS / "tap-mssql-query"), "--config", self.tap_config(rows, columns))
        return Command(argv, rows, columns)

    def reader(self, name: str, rows: int) -> Command:
        """A baseline that reads the same rows as the tap."""
        return Command((*_module(name), self.tap_config(rows, NARROW)), rows)

    def idle_tap(self) -> Command:
        """The tap with no sync due: it queries the server's time and exits."""
        state = {"bookmarks": {"s": {"last_sync_time": int(time.time())}}}
        settings = self._tap_settings(1, NARROW)
        settings["syncs"][0]["frequency"] = "1d"
        config = self._write("idle_tap.json", settings)
        argv = (str(PROGRAMS / "tap-mssql-query"), "--config", config)
        return Command((*argv, "--state", self._write("state.json", state)))

    def target(self, rows: int, columns: int = NARROW, **settings: Any) -> Command:
        """The target, reading a file that the tap wrote."""
        return Command(self.target_argv(**settings), rows, columns, self.lines(rows, columns))

    def fed_target(self, rows: int, times: int) -> Command:
        """The target, reading the tap's records several times over from a pipe."""
        return Command(self.target_argv(), rows * times, stdin=Feed(self.lines(rows), times))

    def idle_target(self) -> Command:
        """The target with empty input."""
        return Command(self.target_argv())

    def pipe(self, rows: int) -> Command:
        """Tap and target, connected by a pipe."""
        return Command(self.tap(rows).argv, rows, pipe_to=self.target_argv())

    def partitioned_run(self, rows: int, *arguments: str, **settings: Any) -> Command:
        """`mssql-reverse-etl run` over a partitioned sync, with further `arguments`."""
        sync: dict[str, Any] = {"name": "s", "type": "track", "query": partitioned_query(rows)}
        sync |= {"partition_column": "userId", "partitions": PARTITIONS}
        tap = self._write(
            "tap-partitioned.json", {**self.server, "reader": "arrow", "syncs": [sync]}
        )
        target = self.target_argv(**settings)[-1]
        program = str(PROGRAMS / "mssql-reverse-etl")
        state = str(self.folder / "partitioned-state.json")
        return Command(
            (program, "run", "--tap", tap, "--target", target, "--state", state, *arguments), rows
        )

    def hand_written(self, rows: int) -> Command:
        """A minimal loop as written by hand."""
        return Command((*_module("hand_written"), str(self.lines(rows)), self.sink), rows)

    def raw_posts(self, rows: int) -> Command:
        """POSTs with as many bytes as these rows have, unparsed: the sink's throughput."""
        size = self.lines(rows).stat().st_size
        return Command((*_module("raw_posts"), str(size), self.sink), rows)

    def official_sdk(self, rows: int, of: int) -> Command:
        """Customer.io's own package, sending `rows` of the `of` rows in the file."""
        script = str(ROOT / "benchmarks" / "baselines" / "official_sdk.py")
        host = self.sink.removesuffix("/v1")
        return Command((str(OTHER_PYTHON), script, str(self.lines(of)), host, str(rows)), rows)

    def target_argv(self, **settings: Any) -> tuple[str, ...]:
        """The target's command line with these settings added to the required ones."""
        config = {
            "destination": "customerio",
            "endpoint": self.sink,
            "write_key": "key",
            "dead_letter_path": str(self.folder / "dead_letters.jsonl"),
            **settings,
        }
        name = "-".join(["target", *(f"{key}-{settings[key]}" for key in sorted(settings))])
        path = self._write(f"{name.replace('/', '_')}.json", config)
        return (str(PROGRAMS / "target-pipelines"), "--config", path)

    def lines(self, rows: int, columns: int = NARROW) -> Path:
        """A file with the tap's output for this many rows; the tap runs once for each size."""
        path = self.folder / f"{rows}x{columns}.jsonl"
        if not path.exists():
            with path.open("wb") as file:
                command = self.tap(rows, columns).argv
                subprocess.run(command, stdout=file, stderr=subprocess.DEVNULL, check=True)
        return path

    def tap_config(self, rows: int, columns: int) -> str:
        """The path of the tap's settings for a query of this many rows."""
        return self._write(f"tap-{rows}x{columns}.json", self._tap_settings(rows, columns))

    def _tap_settings(self, rows: int, columns: int) -> dict[str, Any]:
        query = query_for(rows, columns)
        sync = {"name": "s", "type": "track", "query": query, "key_columns": ["userId"]}
        return {**self.server, "reader": "arrow", "syncs": [sync]}

    def _write(self, name: str, value: dict[str, Any]) -> str:
        path = self.folder / name
        path.write_text(json.dumps(value), encoding="utf-8")
        path.chmod(0o600)
        return str(path)


def _module(name: str) -> tuple[str, ...]:
    return (sys.executable, "-m", f"benchmarks.baselines.{name}")
