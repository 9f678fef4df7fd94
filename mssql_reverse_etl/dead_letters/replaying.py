"""Sends the dead letters of a project again, with the target's `--replay`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mssql_reverse_etl.programs.pipe import Pipe
from mssql_reverse_etl.project.private_files import private_file
from program_kit.exit_codes import worst_exit_code
from program_kit.signals import record_stop_signals, signal_exit_code

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mssql_reverse_etl.project.loading import Project


def replay_letters(project: Project, paths: Sequence[Path], sync: str | None) -> int:
    """Replay each file, or only the letters of one sync; the target's worst exit code."""
    codes = []
    with private_file("target", project.target) as (target, descriptor):
        pipe = Pipe([descriptor])
        received = record_stop_signals(pipe.stop)
        for path in paths:
            if received:
                break
            only = ["--stream", sync] if sync else []
            codes.append(pipe.send_again([target], "--replay", str(path), *only))
    return signal_exit_code(received[0]) if received else worst_exit_code(codes)
