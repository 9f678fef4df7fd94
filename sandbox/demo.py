"""The demo: two runs of the real programs, from the sample shop to the collector, and checks."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from sandbox.collector import DEFAULT_WRITE_KEY, Collector
from sandbox.shop import DATABASE, PASSWORD, READER, SYNCS, change_shop, create_shop
from sandbox.sql_server.engine import DuckDBEngine
from sandbox.sql_server.server import SqlServer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FIRST_RUN = "tap-mssql-query --config tap.json | target-pipelines --config target.json >> state.log"
SECOND_RUN = FIRST_RUN.replace("tap.json", "tap.json --state state.json")
KEEP_STATE = "tail -n 1 state.log > state.json"

_ROWS = re.compile(r"sync=(\S+) type=\S+ rows=(\d+)")
_WIDTH = 110
_START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


class DemoFailed(Exception):  # noqa: N818 - reads as what happened
    """A check of the demo failed."""


@dataclass
class Clock:
    """The shop's clock, set by hand, so that every demo sends the same calls."""

    now: datetime = _START

    def __call__(self) -> datetime:
        """The current time for the server."""
        return self.now


@dataclass(frozen=True)
class Run:
    """The results of one run of both programs, by sync."""

    rows: Mapping[str, int]
    report: Mapping[str, Any]
    last_sync_times: Mapping[str, int]


@dataclass
class Demo:
    """Two runs in one folder; `console` is where it reports."""

    folder: Path
    console: Console = field(default_factory=lambda: Console(width=_WIDTH))

    def run(self) -> None:
        """Run the demo. Raises DemoFailed."""
        clock = Clock()
        engine = DuckDBEngine(clock=clock)
        create_shop(engine)
        self._prepare_folder()
        with SqlServer(engine) as server, Collector() as collector:
            self._write_settings(server, collector)
            self.console.print("[bold]First run:[/bold] everything (last_sync_time 0)")
            self._finish(self._run_programs(FIRST_RUN), collector)

            clock.now += timedelta(hours=1)
            expected = change_shop(lambda statement: engine.run(DATABASE, statement))
            clock.now += timedelta(hours=1)
            collector.forget()
            self.console.print("\n[bold]Second run:[/bold] what changed since")
            second = self._run_programs(SECOND_RUN)
            self._finish(second, collector)
            _check(dict(second.rows) == expected, "the second run read exactly the changed rows")

    def _prepare_folder(self) -> None:
        """Create an empty folder for the results."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        (self.folder / "dead_letters.jsonl").touch(mode=0o600)
        (self.folder / "commands.sh").write_text(
            "\n".join(["#!/bin/bash -o pipefail", FIRST_RUN, KEEP_STATE, SECOND_RUN, KEEP_STATE])
            + "\n"
        )

    def _write_settings(self, server: SqlServer, collector: Collector) -> None:
        tap = {
            "host": "127.0.0.1",
            "port": server.port,
            "database": DATABASE,
            "username": READER,
            "password": PASSWORD,
            "trust_server_certificate": True,
            "syncs": [dict(sync) for sync in SYNCS],
        }
        target = {
            "destination": "customerio",
            "endpoint": collector.url,
            "write_key": DEFAULT_WRITE_KEY,
            "report_path": "report.json",
        }
        for name, settings in (("tap.json", tap), ("target.json", target)):
            (self.folder / name).write_text(json.dumps(settings, indent=2, ensure_ascii=False))

    def _run_programs(self, command: str) -> Run:
        self.console.print(f"  $ {command}", highlight=False)
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", f"{command} && {KEEP_STATE}"],  # noqa: S607
            cwd=self.folder,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        with (self.folder / "programs.log").open("a") as log:
            log.write(done.stderr)
        if done.returncode != 0:
            raise DemoFailed(f"The programs exited with {done.returncode}:\n{done.stderr}")
        return self._read_run(done.stderr)

    def _read_run(self, log: str) -> Run:
        state = json.loads((self.folder / "state.json").read_text())
        return Run(
            rows={name: int(rows) for name, rows in _ROWS.findall(log)},
            report=json.loads((self.folder / "report.json").read_text())["streams"],
            last_sync_times={
                name: bookmark["last_sync_time"] for name, bookmark in state["bookmarks"].items()
            },
        )

    def _finish(self, run: Run, collector: Collector) -> None:
        """Print a run, keep its calls, and compare the report with the calls received."""
        self.console.print(_table_of(run))
        with (self.folder / "calls.jsonl").open("ab") as calls:
            calls.writelines(call.raw + b"\n" for call in collector.calls)
        arrived = Counter(call.type for call in collector.calls)
        said: Counter[str] = Counter()
        for entry in run.report.values():
            said[entry["call_type"]] += entry["delivered"]
        _check(arrived == +said, "the collector received what the target reports as delivered")
        for name, rows in run.rows.items():
            entry = run.report[name]
            _check(
                rows == entry["delivered"] + entry["filtered"] + entry["rejected"],
                f"every row of {name} was delivered or is a dead letter",
            )


def _check(holds: bool, promise: str) -> None:
    if not holds:
        raise DemoFailed(f"Check failed: {promise}.")


def _table_of(run: Run) -> Table:
    table = Table("sync", "call type", box=None)
    for heading in ("rows read", "delivered", "rejected", "seconds", "new last_sync_time"):
        table.add_column(heading, justify="right")
    for sync in SYNCS:
        name = sync["name"]
        entry = run.report[name]
        cells: Sequence[object] = (run.rows[name], entry["delivered"], entry["rejected"])
        seconds = f"{entry['seconds']:.2f}"
        table.add_row(name, sync["type"], *map(str, cells), seconds, str(run.last_sync_times[name]))
    return table


def run_demo(folder: Path) -> int:
    """Run the demo in a folder, whose content is deleted; returns the exit code."""
    demo = Demo(folder)
    try:
        demo.run()
    except DemoFailed as failure:
        print(failure, file=sys.stderr)
        return 1
    dead_letters = len((folder / "dead_letters.jsonl").read_text().splitlines())
    demo.console.print(
        "\nChecked: the second run read exactly the changed rows; every row was delivered "
        f"or is one of\n{dead_letters} dead letters; the collector received every call that the "
        "target reported.\n"
        f"Results are in {folder}/: calls.jsonl, state.json, dead_letters.jsonl, tap.json, "
        "target.json,\ncommands.sh (the command lines), programs.log"
    )
    return 0
