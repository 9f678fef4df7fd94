"""The demo: a project on the sample shop, two runs of `mssql-reverse-etl`, and checks."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml  # type: ignore[import-untyped]
from rich.console import Console
from rich.text import Text

from sandbox.collector import DEFAULT_WRITE_KEY, Collector
from sandbox.shop import DATABASE, PASSWORD, READER, SYNCS, change_shop, create_shop
from sandbox.sql_server.engine import DuckDBEngine
from sandbox.sql_server.server import SqlServer
from sandbox.terminal_picture import write_picture

if TYPE_CHECKING:
    from collections.abc import Mapping

RUN = "mssql-reverse-etl run"
STATUS = "mssql-reverse-etl status"
_WIDTH = 92
_START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
_VARIABLES = {"MSSQL_PASSWORD": PASSWORD, "CUSTOMERIO_WRITE_KEY": DEFAULT_WRITE_KEY}
_PICTURE = "terminal.svg"


class DemoFailed(Exception):  # noqa: N818 - reads as what happened
    """A check of the demo failed."""


@dataclass
class Clock:
    """The shop's clock, set by hand, so that every demo sends the same calls."""

    now: datetime = _START

    def __call__(self) -> datetime:
        """The current time for the server."""
        return self.now


@dataclass
class Demo:
    """Two runs in one folder; `console` is where it reports, `picture` records the first run."""

    folder: Path
    console: Console = field(default_factory=lambda: Console(width=_WIDTH))
    picture: Console = field(
        default_factory=lambda: Console(width=_WIDTH, file=StringIO(), record=True)
    )

    def run(self) -> None:
        """Run the demo. Raises DemoFailed."""
        clock = Clock()
        engine = DuckDBEngine(clock=clock)
        create_shop(engine)
        with SqlServer(engine) as server, Collector() as collector:
            self._prepare_folder(server, collector)
            self._run_once(collector, self.console, self.picture)
            clock.now += timedelta(hours=1)
            expected = change_shop(lambda statement: engine.run(DATABASE, statement))
            clock.now += timedelta(hours=1)
            collector.forget()
            rows = self._run_once(collector, self.console)
            _check(rows == expected, "the second run read exactly the changed rows")
            self._start(STATUS, self.console, self.picture)

    def _prepare_folder(self, server: SqlServer, collector: Collector) -> None:
        """Create an empty folder with the project."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        project = {
            "tap": {
                "host": "127.0.0.1",
                "port": server.port,
                "database": DATABASE,
                "username": READER,
                "password": "${MSSQL_PASSWORD}",
                "trust_server_certificate": True,
                "report_path": "tap_report.json",
            },
            "target": {
                "destination": "customerio",
                "endpoint": collector.url,
                "write_key": "${CUSTOMERIO_WRITE_KEY}",
                "report_path": "target_report.json",
            },
            "syncs": [dict(sync) for sync in SYNCS],
        }
        (self.folder / "reverse_etl.yml").write_text(_yaml_of(project))
        (self.folder / ".env").write_text(
            "".join(f"{name}={value}\n" for name, value in _VARIABLES.items())
        )
        (self.folder / "commands.sh").write_text(f"#!/bin/sh\n{RUN}\n{RUN}\n{STATUS}\n")

    def _run_once(self, collector: Collector, *consoles: Console) -> Mapping[str, int]:
        """Run all syncs, keep the calls, and compare them with the reports; the rows by sync."""
        self._start(RUN, *consoles)
        with (self.folder / "calls.jsonl").open("ab") as calls:
            calls.writelines(call.raw + b"\n" for call in collector.calls)
        syncs, streams = self._read("tap_report", "syncs"), self._read("target_report", "streams")
        arrived = Counter(call.type for call in collector.calls)
        reported: Counter[str] = Counter()
        for stream in streams.values():
            reported[stream["call_type"]] += stream["delivered"]
        _check(arrived == +reported, "the collector received what the target reports as delivered")
        for name, sync in syncs.items():
            settled = sum(streams[name][count] for count in ("delivered", "filtered", "rejected"))
            _check(
                sync["rows"] == settled, f"every row of {name} was delivered or is a dead letter"
            )
        return {name: sync["rows"] for name, sync in syncs.items()}

    def _start(self, command: str, *consoles: Console) -> None:
        """Start a command as on a terminal, and show what it prints. Raises DemoFailed."""
        for console in consoles:
            console.print(Text.assemble(("$ ", "dim"), (command, "bold")), highlight=False)
        programs = Path(sys.executable).parent
        with (self.folder / "programs.log").open("a") as log:
            done = subprocess.run(
                [str(programs / "mssql-reverse-etl"), *command.split()[1:]],
                cwd=self.folder,
                env={
                    **os.environ,
                    "COLUMNS": str(_WIDTH),
                    "TTY_COMPATIBLE": "1",
                    "TERM": "xterm-256color",
                },
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                check=False,
            )
        for console in consoles:
            console.print(Text.from_ansi(done.stdout), highlight=False)
        if done.returncode != 0:
            log_text = (self.folder / "programs.log").read_text()
            raise DemoFailed(f"{command} exited with {done.returncode}:\n{log_text}")

    def _read(self, report: str, key: str) -> Mapping[str, Any]:
        entries: Mapping[str, Any] = json.loads((self.folder / f"{report}.json").read_text())[key]
        return entries


class _Dumper(yaml.SafeDumper):  # type: ignore[misc]
    """Writes texts of several lines, such as queries, as they are."""


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)


def _yaml_of(project: Mapping[str, Any]) -> str:
    text: str = yaml.dump(project, Dumper=_Dumper, sort_keys=False, allow_unicode=True)
    return text


def _check(holds: bool, promise: str) -> None:
    if not holds:
        raise DemoFailed(f"Check failed: {promise}.")


def run_demo(folder: Path, picture: Path | None = None) -> int:
    """Run the demo in a folder, whose content is deleted; returns the exit code.

    The picture of the terminal is in the folder, and at `picture`, which changes only if the
    picture does, durations aside.
    """
    demo = Demo(folder)
    try:
        demo.run()
    except DemoFailed as failure:
        print(failure, file=sys.stderr)
        return 1
    pictures = [folder / _PICTURE, *([picture] if picture else [])]
    write_picture(demo.picture, pictures)
    letters = (folder / ".reverse_etl" / "dead_letters.jsonl").read_text().splitlines()
    print(
        "\nChecked: the second run read exactly the changed rows; every row was delivered or is "
        f"one of\n{len(letters)} dead letters; the collector received every call that the target "
        f"reported.\nResults are in {folder}/: the project (reverse_etl.yml, .env, .reverse_etl/ "
        "with state and dead\nletters), calls.jsonl, commands.sh, terminal.svg, programs.log"
    )
    return 0
