"""Reads the first rows of one sync, even if it is disabled or not due; nothing moves."""

from __future__ import annotations

import json
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mssql_reverse_etl.programs.child_events import EventReader
from mssql_reverse_etl.programs.pipe import Pipe, PipeOptions, read_report
from mssql_reverse_etl.project.private_files import private_file
from mssql_reverse_etl.run.state_file import StateFile
from mssql_reverse_etl.run.sync_locks import lock_options
from program_kit.signals import record_stop_signals, signal_exit_code

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mssql_reverse_etl.project.loading import Project

_SCHEDULE = ("frequency", "start_at", "enabled")


@dataclass(frozen=True, slots=True)
class Sample:
    """The first rows of a sync.

    Attributes:
        exit_code: the tap's.
        message: why it failed.
        messages: SCHEMA and RECORDs, a line each.
        since: the lower bound of the query, in unix seconds; None if it was not run.
    """

    exit_code: int
    message: str
    messages: Sequence[bytes]
    since: int | None


def read_sample(project: Project, sync: str, *, limit: int, resync: bool = False) -> Sample:
    """Read at most `limit` rows since the bookmark; with `resync` from the beginning."""
    state = StateFile(project.state)
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="mssql-reverse-etl-"))
        report_path = Path(folder) / "report.json"
        config = {**_always_due(project.tap, sync), "report_path": str(report_path)}
        tap, tap_file = stack.enter_context(private_file("tap", config))
        pipe = Pipe([tap_file], EventReader())
        received = record_stop_signals(pipe.stop)
        repeat = ["--resync", sync] if resync else []
        options = PipeOptions(
            tap_configs=[tap],
            target_configs=(),
            state=state.path if state.exists() else None,
            tap_options=[*lock_options([sync]), *repeat, "--limit", str(limit)],
        )
        code, output = pipe.read(options)
        report = read_report(report_path)
    entry = report.get("syncs", {}).get(sync, {})
    return Sample(
        signal_exit_code(received[0]) if received else code,
        entry.get("message") or report.get("message", ""),
        [line for line in output.splitlines(keepends=True) if _is_row_or_schema(line)],
        entry.get("last_sync_time"),
    )


def _always_due(tap: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The configuration of the tap, in which this sync has no schedule."""
    syncs = [
        {key: value for key, value in sync.items() if key not in _SCHEDULE}
        if sync["name"] == name
        else sync
        for sync in tap["syncs"]
    ]
    return {**tap, "syncs": syncs}


def _is_row_or_schema(line: bytes) -> bool:
    """Whether it is a whole line of the sync itself, and not a STATE."""
    return line.endswith(b"\n") and json.loads(line)["type"] in ("SCHEMA", "RECORD")
