"""`mssql-reverse-etl run`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mssql_reverse_etl.state_file import StateFile

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
    dask: str | None,
    workers: int | None,
) -> None:
    """Run all syncs that are due, once."""
    from mssql_reverse_etl.configuration import read_tap_config  # noqa: PLC0415 - slow

    tap_config, settings = read_tap_config(taps)
    file = StateFile(state)
    with file.locked():
        file.read()  # a damaged file fails before any query runs
        if dask is None:
            from mssql_reverse_etl.local_run import run_locally  # noqa: PLC0415 - slow

            code = run_locally(settings, file, taps=taps, targets=targets, resync=resync)
        else:
            from mssql_reverse_etl.cluster.run import run_on_cluster  # noqa: PLC0415 - slow
            from target_pipelines.command_line import read_target_config  # noqa: PLC0415 - slow

            code = run_on_cluster(
                tap_config,
                settings,
                dict(read_target_config(targets)),
                file,
                resync=resync,
                address=None if dask == _LOCAL else dask,
                workers=workers,
            )
    sys.exit(code)
