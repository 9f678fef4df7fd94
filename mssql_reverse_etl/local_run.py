"""One run on this machine: both programs once, over all syncs whose locks are free."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mssql_reverse_etl.pipe import Pipe, PipeOptions
from mssql_reverse_etl.signals import stop_on_signals
from mssql_reverse_etl.summary import Summary
from mssql_reverse_etl.sync_locks import SyncLocks, lock_options
from program_kit.signals import signal_exit_code

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mssql_reverse_etl.state_file import StateFile
    from tap_mssql_query.settings.model import TapSettings


def run_locally(
    settings: TapSettings,
    file: StateFile,
    *,
    taps: Sequence[str],
    targets: Sequence[str],
    resync: Sequence[str],
) -> int:
    """Run all syncs that are due; the exit code. Raises StateNotWritten."""
    pipe = Pipe()
    received = stop_on_signals(pipe.stop)
    with SyncLocks(settings) as locks:
        if not locks.held:
            return locks.exit_code
        options = PipeOptions(
            tap_configs=taps,
            target_configs=targets,
            state=file.path if file.path.exists() else None,
            tap_options=[*lock_options(locks.held), *_resync_options(resync)],
        )
        result = pipe.run(options, file.replace)
    summary = Summary()
    summary.add(result.tap_report, result.target_report)
    summary.show()
    return signal_exit_code(received[0]) if received else result.exit_code or locks.exit_code


def _resync_options(syncs: Sequence[str]) -> list[str]:
    return [argument for sync in syncs for argument in ("--resync", sync)]
