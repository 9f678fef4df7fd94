"""`mssql-reverse-etl run`: tap and target as one command; its exit codes are those of `errors`."""

from __future__ import annotations

import logging
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mssql_reverse_etl.errors import ConductorError, UsageError
from mssql_reverse_etl.state_file import StateFile
from program_kit.command_line import ENV, read_config
from program_kit.logs import LOG_FORMAT
from tap_mssql_query.errors import TapError
from target_pipelines.api.errors import PipelinesError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mssql_reverse_etl.pipe import Pipe
    from tap_mssql_query.settings.model import TapSettings

_LOCAL = "local"

logger = logging.getLogger("mssql-reverse-etl")


@click.group()
@click.version_option(package_name="mssql-reverse-etl")
def cli() -> None:
    """Bring rows of SQL Server into the tools that talk to customers."""


@cli.command()
@click.option(
    "--tap", "taps", multiple=True, required=True, metavar="FILE",
    help="Configuration of the tap, or ENV. Repeatable: later ones over earlier ones.",
)  # fmt: skip
@click.option(
    "--target", "targets", multiple=True, required=True, metavar="FILE",
    help="Configuration of the target, or ENV. Repeatable.",
)  # fmt: skip
@click.option(
    "--state", required=True, type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
    help="Where the state is kept; made by the first run.",
)  # fmt: skip
@click.option("--resync", multiple=True, metavar="NAME", help="As the tap's. Repeatable.")
@click.option(
    "--dask", is_flag=False, flag_value=_LOCAL, default=None, metavar="[ADDRESS]",
    help="Run partitions as tasks of a Dask cluster: of a local one, or at this address.",
)  # fmt: skip
@click.option(
    "--workers", type=click.IntRange(min=1), metavar="COUNT",
    help="With --dask: workers of the local cluster, or tasks at once on another.",
)  # fmt: skip
def run(
    *,
    taps: Sequence[str],
    targets: Sequence[str],
    state: Path,
    resync: Sequence[str],
    dask: str | None,
    workers: int | None,
) -> None:
    """Run all syncs that are due, once."""
    tap_config, settings = _read_tap_config(taps)
    file = StateFile(state)
    with file.locked():
        file.read()  # refuses a damaged one before anything is asked of the database
        if dask is None:
            code = _run_here(settings, taps, targets, file, resync)
        else:
            from mssql_reverse_etl.cluster.coordinator import run_on_cluster  # noqa: PLC0415 - seldom needed

            code = run_on_cluster(
                tap_config,
                settings,
                _read_target_config(targets),
                file,
                resync=resync,
                address=None if dask == _LOCAL else dask,
                workers=workers,
            )
    sys.exit(code)


def _read_tap_config(paths: Sequence[str]) -> tuple[dict[str, Any], TapSettings]:
    """The tap's configuration and settings, as the tap itself reads them."""
    from tap_mssql_query.tap import TapMSSQLQuery  # noqa: PLC0415 - slow

    tap = TapMSSQLQuery(config=read_config(paths, UsageError), parse_env_config=ENV in paths)
    return dict(tap.config), tap.settings


def _read_target_config(paths: Sequence[str]) -> dict[str, Any]:
    """The target's configuration, as the target itself reads it."""
    config = read_config(paths, UsageError)
    if ENV in paths:
        from target_pipelines.target import TargetPipelines  # noqa: PLC0415 - slow

        return dict(TargetPipelines(config=config, parse_env_config=True).config)
    return config


def _run_here(
    settings: TapSettings,
    taps: Sequence[str],
    targets: Sequence[str],
    file: StateFile,
    resync: Sequence[str],
) -> int:
    """Run both programs as two processes; the exit code."""
    from mssql_reverse_etl.pipe import Pipe, PipeOptions  # noqa: PLC0415 - after the settings
    from mssql_reverse_etl.summary import Summary  # noqa: PLC0415 - with it
    from mssql_reverse_etl.sync_locks import SyncLocks, named  # noqa: PLC0415 - with it

    pipe = Pipe()
    stopped = _stop_on_signals(pipe)
    with SyncLocks(settings) as locks:
        if not locks.held:
            return 3 if locks.failed else 0
        options = PipeOptions(
            tap_configs=taps,
            target_configs=targets,
            state=file.path if file.path.exists() else None,
            tap_options=[
                *named(locks.held),
                *(word for name in resync for word in ("--resync", name)),
            ],
        )
        result = pipe.run(options, file.replace)
    summary = Summary()
    summary.add(result.tap_report, result.target_report)
    summary.show()
    if stopped:
        return 128 + stopped[0]
    return result.exit_code or (3 if locks.failed else 0)


def _stop_on_signals(pipe: Pipe) -> list[int]:
    """Let signals end both programs; the list gets the first one's number."""
    stopped: list[int] = []

    def stop(number: int, _: object) -> None:
        stopped.append(number)
        pipe.stop()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)
    return stopped


def main() -> None:
    """The console script `mssql-reverse-etl`."""
    logging.basicConfig(level=logging.INFO, format=LOG_FORMAT, style="{")
    try:
        cli()
    except (ConductorError, TapError, PipelinesError) as error:
        for problem in getattr(error, "problems", (str(error),)):
            logger.error("%s", problem)  # noqa: TRY400 - a message for people, not a bug
        sys.exit(error.exit_code)
