"""A scenario: rows, a server, collectors and the pipe; runs with faults, then a verdict."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sandbox.collector import DEFAULT_WRITE_KEY, Behaviour, Collector
from sandbox.sql_server.server import SqlServer
from tests.reliability.injection import STRUCK_FILE
from tests.reliability.ledger import DATABASE, PASSWORD, READER, REJECTED_TEXT, SYNCS, Ledger
from tests.reliability.oracle import (
    SeenCall,
    SeenDestination,
    SeenRun,
    SeenState,
    Verdict,
    judge,
)
from tests.reliability.pipe import NO_FAULT, RUN_SECONDS, Fault, Pipe

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.reliability.programs import ExitCodes, ForkServer

REJECTING = Behaviour(status=400, contains=REJECTED_TEXT, times=None)
"""Reject each request that holds a row which must be rejected."""
MAX_RUNS = 5


class Scenario:
    """The sandbox's SQL Server and the collectors, running; a context manager.

    Attributes:
        folder: configurations, state, dead letters, report and log.
        ledger: the rows.
        server: SQL Server, which can fail on command.
        collectors: one for each destination.
        runs: the number of runs so far.
    """

    def __init__(
        self,
        fork_server: ForkServer,
        folder: Path,
        *,
        seed: int,
        size: int = 40,
        processes: int = 1,
        destinations: int = 1,
        settings: dict[str, Any] | None = None,
        syncs: Sequence[dict[str, Any]] = SYNCS,
        removed: tuple[str, ...] = (),
    ) -> None:
        self._fork_server = fork_server
        self.folder = folder
        self._syncs = syncs
        self._removed = removed
        self._processes = processes
        self._settings = settings or {}
        self.ledger = Ledger(seed)
        self.ledger.fill(size)
        self.server = SqlServer(self.ledger.engine)
        self.collectors = [Collector() for _ in range(destinations)]
        self.runs = 0
        self._state: dict[str, Any] | None = None
        self._states: list[SeenState] = []
        self._seen_runs: list[SeenRun] = []
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Scenario:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._stack.enter_context(self.server)
        for collector in self.collectors:
            self._stack.enter_context(collector)
        self.script()
        self._write("tap", self._tap_settings())
        self._write("target", self._target_settings())
        return self

    def __exit__(self, *error: Any) -> None:
        self._stack.close()

    # Runs

    def script(self, *behaviours: Behaviour, destination: int = 0) -> None:
        """Script one collector; all of them reject what must be rejected."""
        for number, collector in enumerate(self.collectors):
            collector.script([REJECTING, *(behaviours if number == destination else ())])

    def start(self, fault: Fault = NO_FAULT) -> Pipe:
        """Start a run from the newest state that was printed."""
        self.runs += 1
        arguments = []
        if self._state is not None:
            self._write("state", self._state)
            arguments = ["--state", "state.json"]
        for name in ("report.json", STRUCK_FILE):
            (self.folder / name).unlink(missing_ok=True)
        return Pipe(
            self._fork_server,
            self.folder,
            replace(
                fault,
                tap=replace(fault.tap, removed=self._removed),
                target=replace(fault.target, removed=self._removed),
            ),
            tap_arguments=arguments,
            take_state=self._take_state,
        )

    def run(self, fault: Fault = NO_FAULT, seconds: float = RUN_SECONDS) -> ExitCodes:
        """Run once. Raises TimeoutError if the run takes longer."""
        due, earlier = self._count_due(), len(self.collectors[0].requests)
        pipe = self.start(fault)
        if fault.after_requests is not None:
            with contextlib.suppress(TimeoutError):
                self.collectors[0].wait_for_requests(earlier + fault.after_requests)
            pipe.victim.signal(fault.signal_number)
        codes = pipe.finish(seconds)
        self._note_end(codes, due)
        return codes

    @property
    def has_struck(self) -> bool:
        """Whether the fault inside a program has happened in the last run."""
        return (self.folder / STRUCK_FILE).exists()

    def finish(self) -> None:
        """Run without faults until a run succeeds."""
        self.script()
        self.server.faults.clear()
        for _ in range(MAX_RUNS):
            if self.run().are_clean:
                return
        raise AssertionError(f"no run succeeded: {(self.folder / 'log').read_text()[-4000:]}")

    def judge(self) -> Verdict:
        """The verdict, after a run that succeeded."""
        seen = [
            SeenDestination([_seen_call(call.raw) for call in collector.calls], dead_letters)
            for collector, dead_letters in zip(self.collectors, self._dead_letters(), strict=True)
        ]
        return judge(self.ledger.rows, seen, self._states, self._seen_runs)

    # Observations

    def _take_state(self, line: bytes) -> None:
        calls = [len(collector.calls) for collector in self.collectors]
        dead_letters = [len(keys) for keys in self._dead_letters()]
        self._state = json.loads(line)
        self._states.append(SeenState(self._bookmarks(), self.ledger.now, calls, dead_letters))

    def _bookmarks(self) -> dict[str, int]:
        bookmarks = (self._state or {}).get("bookmarks", {})
        return {sync: entry.get("last_sync_time", 0) for sync, entry in bookmarks.items()}

    def _count_due(self) -> int:
        bookmarks, now = self._bookmarks(), self.ledger.now
        names = {sync["name"] for sync in self._syncs}
        return sum(
            row.is_current(now) and row.sync in names and row.changed >= bookmarks.get(row.sync, 0)
            for row in self.ledger.rows
        )

    def _note_end(self, codes: ExitCodes, due: int) -> None:
        path = self.folder / "report.json"
        if path.exists():
            report = json.loads(path.read_text())
            parts = report["destinations"].values() if "destinations" in report else [report]
            streams = [part["streams"] for part in parts]
            counted = due if codes.are_clean else None
            self._seen_runs.append(SeenRun(codes.target, streams, counted))
        elif codes.are_clean and due:
            self._seen_runs.append(SeenRun(0, [{}], due))
        if codes.are_clean:
            self.ledger.note_clean_run()

    def _dead_letters(self) -> list[list[str]]:
        """Keys of the rows in each destination's dead letters."""
        return [self._keys_in(name) for name in self._dead_letter_files()]

    def _keys_in(self, name: str) -> list[str]:
        path = self.folder / name
        if not path.exists():
            return []
        keys = []
        for line in path.read_bytes().splitlines():
            with contextlib.suppress(ValueError):  # cut by the kill: not a dead letter
                keys.append(str(json.loads(line)["record"].get("row_key")))
        return keys

    # Settings

    def _dead_letter_files(self) -> list[str]:
        if len(self.collectors) == 1:
            return ["dead_letters.jsonl"]
        return [f"dead_letters.d{number}.jsonl" for number in range(len(self.collectors))]

    def _tap_settings(self) -> dict[str, Any]:
        return {
            "host": "127.0.0.1",
            "port": self.server.port,
            "database": DATABASE,
            "username": READER,
            "password": PASSWORD,
            "encrypt": "no",
            "syncs": list(self._syncs),
        }

    def _target_settings(self) -> dict[str, Any]:
        own = [
            {
                "destination": "customerio",
                "endpoint": collector.url,
                "write_key": DEFAULT_WRITE_KEY,
            }
            for collector in self.collectors
        ]
        several = [{**entry, "name": f"d{number}"} for number, entry in enumerate(own)]
        return {
            "concurrency": 3,
            "batch_max_calls": 7,
            "requests_per_second": 5000,
            "max_rejected_ratio": 1,
            "timeout_seconds": 5,
            "processes": self._processes,
            "report_path": "report.json",
            **(own[0] if len(own) == 1 else {"destinations": several}),
            **self._settings,
        }

    def _write(self, name: str, content: Any) -> None:
        (self.folder / f"{name}.json").write_text(json.dumps(content))


def _seen_call(raw: bytes) -> SeenCall:
    body = json.loads(raw, parse_float=Decimal)
    return SeenCall(str(body.pop("messageId", "")), body)
