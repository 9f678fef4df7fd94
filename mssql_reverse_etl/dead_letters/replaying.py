"""Sends the dead letters of a project again, with the target's `--replay`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mssql_reverse_etl.programs.child_events import EventReader
from mssql_reverse_etl.programs.pipe import Pipe
from mssql_reverse_etl.project.private_files import private_file
from mssql_reverse_etl.results.summary import Summary
from program_kit.exit_codes import worst_exit_code
from program_kit.signals import record_stop_signals, signal_exit_code

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Sequence
    from pathlib import Path

    from mssql_reverse_etl.project.loading import Project


def replay_letters(
    project: Project, paths: Sequence[Path], sync: str | None
) -> tuple[int, Counter[str]]:
    """Replay each file, or only the letters of one sync.

    The target's worst exit code, and the counts of all letters.
    """
    codes, summary = [], Summary()
    with private_file("target", project.target) as (target, descriptor):
        pipe = Pipe([descriptor], EventReader())
        received = record_stop_signals(pipe.stop)
        for path in paths:
            if received:
                break
            only = ["--stream", sync] if sync else []
            code, report = pipe.send_again([target], "--replay", str(path), *only)
            codes.append(code)
            summary.add_retried(report)
    code = signal_exit_code(received[0]) if received else worst_exit_code(codes)
    return code, summary.retried.counts
