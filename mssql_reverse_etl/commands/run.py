"""`mssql-reverse-etl run`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mssql_reverse_etl.errors import UsageError
from mssql_reverse_etl.state_file import StateFile
from program_kit.report_file import find_report_path, remove_report, report_path_of

if TYPE_CHECKING:
    from collections.abc import Sequence

_LOCAL = "local"


@click.command()
@click.option(
    "--tap", "taps", multiple=True, required=True, metavar="FILE",
    help="Configuration of the tap, or ENV. Repeatable; later ones override earlier ones.",
)  # fmt: skip
@click.option(
    "--target", "targets", multiple=True, required=True, metavar="FILE",
    help="Configuration of the target, or ENV. Repeatable.",
)  # fmt: skip
@click.option(
    "--state", required=True, type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
    help="The state file; the first run creates it.",
)  # fmt: skip
@click.option(
    "--resync", multiple=True, metavar="NAME",
    help="Read this sync from the beginning. Repeatable.",
)  # fmt: skip
@click.option(
    "--start-now", multiple=True, metavar="NAME",
    help="Start this sync at the present time: rows from before are not sent. Repeatable.",
)  # fmt: skip
@click.option(
    "--dask", is_flag=False, flag_value=_LOCAL, default=None, metavar="[ADDRESS]",
    help="Run partitions as tasks of the Dask cluster at ADDRESS, or of a local one.",
)  # fmt: skip
@click.option(
    "--workers", type=click.IntRange(min=1), metavar="COUNT",
    help="With --dask: workers of the local cluster, or concurrent tasks on another one.",
)  # fmt: skip
def run(
    *,
    taps: Sequence[str],
    targets: Sequence[str],
    state: Path,
    resync: Sequence[str],
    start_now: Sequence[str],
    dask: str | None,
    workers: int | None,
) -> None:
    """Run all syncs that are due, once."""
    if start_now and dask is not None:
        raise UsageError("--start-now cannot be combined with --dask. Run once without --dask.")
    file = StateFile(state)
    with file.locked():
        _remove_reports(taps, targets)
        from mssql_reverse_etl.configuration import (  # noqa: PLC0415 - slow
            find_shared_files,
            read_tap_config,
        )
        from tap_mssql_query.sync.run_options import RunOptions, find_problems  # noqa: PLC0415 - slow
        from target_pipelines.command_line import read_target_config  # noqa: PLC0415 - slow
        from target_pipelines.run.configuration import load_configuration  # noqa: PLC0415 - slow

        tap_config, settings = read_tap_config(taps)
        file.read()  # a damaged file fails before any query runs
        target_config = dict(read_target_config(targets))
        configuration = load_configuration(target_config)
        options = RunOptions(resync=resync, start_now=start_now)
        if problems := [
            *find_problems(options, settings.syncs),
            *find_shared_files(state, tap_config, configuration),
        ]:
            raise UsageError("\n".join(problems))
        if dask is None:
            from mssql_reverse_etl.local_run import LocalRun  # noqa: PLC0415 - slow

            code = LocalRun(
                settings=settings,
                configuration=configuration,
                file=file,
                taps=taps,
                targets=targets,
                tap_options=_repeated("--resync", resync) + _repeated("--start-now", start_now),
                tap_report=report_path_of(tap_config),
                has_stream_maps=bool(tap_config.get("stream_maps")),
            ).run()
        else:
            from mssql_reverse_etl.cluster.run import run_on_cluster  # noqa: PLC0415 - slow
            from mssql_reverse_etl.pipe import Pipe  # noqa: PLC0415 - only for this
            from mssql_reverse_etl.retries import retry_rejected  # noqa: PLC0415 - slow

            retry_rejected(Pipe(), configuration, targets)
            code = run_on_cluster(
                tap_config,
                settings,
                target_config,
                file,
                resync=resync,
                address=None if dask == _LOCAL else dask,
                workers=workers,
            )
    sys.exit(code)


def _remove_reports(taps: Sequence[str], targets: Sequence[str]) -> None:
    """Remove the reports of the run before: this one may end before it writes its own."""
    remove_report(find_report_path(taps, env_prefix="TAP_MSSQL_QUERY"))
    remove_report(find_report_path(targets, env_prefix="TARGET_PIPELINES"))


def _repeated(option: str, values: Sequence[str]) -> list[str]:
    return [argument for value in values for argument in (option, value)]
