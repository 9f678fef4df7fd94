"""What measurements are made with: the programs' commands, their settings and their input."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.rows import NARROW, PARTITIONS, query_for, query_in_parts
from benchmarks.timing import Command, Feed

ROOT = Path(__file__).parents[1]
PROGRAMS = Path(sys.executable).parent
OTHER_PYTHON = ROOT / ".venv-bench" / "bin" / "python"
"""Has Customer.io's package and matplotlib, which stay away from the programs that are measured."""


@dataclass(frozen=True)
class Bench:
    """A folder for settings and input, the server to read and the sinks to send to."""

    folder: Path
    server: dict[str, Any]
    sink: str
    slow_sink: str

    def tap(self, rows: int, columns: int = NARROW) -> Command:
        """The tap, to /dev/null."""
        words = (str(PROGRAMS / "tap-mssql-query"), "--config", self.tap_config(rows, columns))
        return Command(words, rows, columns)

    def reader(self, name: str, rows: int) -> Command:
        """A baseline that reads what the tap reads."""
        return Command((*_module(name), self.tap_config(rows, NARROW)), rows)

    def idle_tap(self) -> Command:
        """The tap, when nothing is due: it asks the server for the time and ends."""
        state = {"bookmarks": {"s": {"last_sync_time": int(time.time())}}}
        settings = self._tap_settings(1, NARROW)
        settings["syncs"][0]["frequency"] = "1d"
        config = self._write("idle_tap.json", settings)
        words = (str(PROGRAMS / "tap-mssql-query"), "--config", config)
        return Command((*words, "--state", self._write("state.json", state)))

    def target(self, rows: int, columns: int = NARROW, **settings: Any) -> Command:
        """The target, from a file of the tap's own lines."""
        return Command(self.target_words(**settings), rows, columns, self.lines(rows, columns))

    def fed_target(self, rows: int, times: int) -> Command:
        """The target, from a pipe: the tap's own lines, the same records several times over."""
        return Command(self.target_words(), rows * times, stdin=Feed(self.lines(rows), times))

    def idle_target(self) -> Command:
        """The target, without any input."""
        return Command(self.target_words())

    def pipe(self, rows: int) -> Command:
        """The tap and the target, in a pipe."""
        return Command(self.tap(rows).words, rows, pipe_to=self.target_words())

    def run_in_parts(self, rows: int, *words: str, **settings: Any) -> Command:
        """The conductor, over a sync in partitions; `words` end its command line."""
        sync: dict[str, Any] = {"name": "s", "type": "track", "query": query_in_parts(rows)}
        sync |= {"partition_column": "userId", "partitions": PARTITIONS}
        tap = self._write("tap-parts.json", {**self.server, "reader": "arrow", "syncs": [sync]})
        target = self.target_words(**settings)[-1]
        program = str(PROGRAMS / "mssql-reverse-etl")
        state = str(self.folder / "parts-state.json")
        return Command(
            (program, "run", "--tap", tap, "--target", target, "--state", state, *words), rows
        )

    def hand_written(self, rows: int) -> Command:
        """The loop that somebody writes by hand."""
        return Command((*_module("hand_written"), str(self.lines(rows)), self.sink), rows)

    def raw_posts(self, rows: int) -> Command:
        """As many bytes as these rows have, without a look at them: what the sink can take."""
        size = self.lines(rows).stat().st_size
        return Command((*_module("raw_posts"), str(size), self.sink), rows)

    def official_sdk(self, rows: int, of: int) -> Command:
        """Customer.io's own package, which sends some of these rows."""
        script = str(ROOT / "benchmarks" / "baselines" / "official_sdk.py")
        host = self.sink.removesuffix("/v1")
        return Command((str(OTHER_PYTHON), script, str(self.lines(of)), host, str(rows)), rows)

    def target_words(self, **settings: Any) -> tuple[str, ...]:
        """The target's command line with these settings besides those that it needs."""
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
        """What the tap writes of so many rows; it is run once for each size."""
        path = self.folder / f"{rows}x{columns}.jsonl"
        if not path.exists():
            with path.open("wb") as file:
                command = self.tap(rows, columns).words
                subprocess.run(command, stdout=file, stderr=subprocess.DEVNULL, check=True)
        return path

    def tap_config(self, rows: int, columns: int) -> str:
        """The path of the tap's settings for a query of so many rows."""
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
