"""`mssql-reverse-etl run`."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mssql_reverse_etl.commands.log_option import log_format_option
from mssql_reverse_etl.commands.project_option import project_option, project_path
from mssql_reverse_etl.commands.window_options import window_options
from mssql_reverse_etl.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mssql_reverse_etl.history.run_record import RunRecord
    from mssql_reverse_etl.run_sources import RunSources

_LOCAL = "local"


@click.command()
@project_option
@log_format_option
@click.argument("names", nargs=-1, metavar="[NAME…]")
@click.option(
    "--tap", "taps", multiple=True, metavar="FILE",
    help="Instead of a project: configuration of the tap, or ENV. Repeatable; later ones override "
    "earlier ones.",
)  # fmt: skip
@click.option(
    "--target", "targets", multiple=True, metavar="FILE",
    help="With --tap: configuration of the target, or ENV. Repeatable.",
)  # fmt: skip
@click.option(
    "--state", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
    help="With --tap: the state file; the first run creates it.",
)  # fmt: skip
@click.option(
    "--resync", multiple=True, metavar="NAME",
    help="Read this sync from the beginning. Repeatable.",
)  # fmt: skip
@click.option(
    "--start-now", multiple=True, metavar="NAME",
    help="Start this sync at the present time: rows from before are not sent. Repeatable.",
)  # fmt: skip
@window_options
@click.option(
    "--dry-run", is_flag=True,
    help="Count what the run would send, as `plan` does; nothing is sent, and nothing moves.",
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
    names: Sequence[str],
    taps: Sequence[str],
    targets: Sequence[str],
    state: Path | None,
    resync: Sequence[str],
    start_now: Sequence[str],
    limit: int | None,
    since: int | None,
    until: int | None,
    dry_run: bool,
    dask: str | None,
    workers: int | None,
) -> None:
    """Run all syncs that are due, once.

    With names, these alone.
    """
    if start_now and dask is not None:
        raise UsageError("--start-now cannot be combined with --dask. Run once without --dask.")
    with ExitStack() as stack:
        record = _open_record(stack, dask, is_project=not (taps or targets or state))
        sources = _open_sources(names, taps, targets, state, stack, record)
        code = record.exit_code = _run(sources, names, resync, start_now, dask, workers)
    sys.exit(code)


def _open_record(stack: ExitStack, dask: str | None, *, is_project: bool) -> RunRecord:
    """The record of the run in the history, which only a project has."""
    from mssql_reverse_etl.history.recording import recording  # noqa: PLC0415 - slow
    from mssql_reverse_etl.history.run_record import RunRecord  # noqa: PLC0415 - with it

    if not is_project:
        return RunRecord()
    trigger = "command" if dask is None else "cluster"
    return stack.enter_context(recording(project_path(), trigger=trigger))


def _open_sources(
    names: Sequence[str],
    taps: Sequence[str],
    targets: Sequence[str],
    state: Path | None,
    stack: ExitStack,
    record: RunRecord,
) -> RunSources:
    """The files of the command line, or else the project. Raises ProgramError."""
    from mssql_reverse_etl.run_sources import open_files, open_project  # noqa: PLC0415 - slow

    if taps and targets and state:
        return open_files(taps, targets, state, stack)
    if taps or targets or state:
        raise UsageError("--tap, --target and --state belong together. Give all three, or none.")
    from mssql_reverse_etl.history.recording import describe_project  # noqa: PLC0415 - slow
    from mssql_reverse_etl.project.loading import load_project  # noqa: PLC0415 - slow

    project = load_project(project_path())
    describe_project(record, project, names)
    return open_project(project, record, stack)


def _run(
    sources: RunSources,
    names: Sequence[str],
    resync: Sequence[str],
    start_now: Sequence[str],
    dask: str | None,
    workers: int | None,
) -> int:
    """Run the syncs; the exit code."""
    from mssql_reverse_etl.project.names import (  # noqa: PLC0415 - slow
        choose_syncs,
        find_unknown_names,
    )
    from mssql_reverse_etl.shared_files import find_shared_files  # noqa: PLC0415 - slow
    from tap_mssql_query.sync.run_options import RunOptions, find_problems  # noqa: PLC0415 - slow

    sources.file.read()  # a damaged file fails before any query runs
    options = RunOptions(resync=resync, start_now=start_now)
    if problems := [
        *find_problems(options, sources.settings.syncs),
        *find_shared_files(sources.file.path, sources.tap, sources.configuration),
        *find_unknown_names(names, sources.settings),
    ]:
        raise UsageError(*problems)
    settings = choose_syncs(names, sources.settings)
    if dask is None:
        from mssql_reverse_etl.local_run import LocalRun  # noqa: PLC0415 - slow

        return LocalRun(settings=settings, sources=sources, options=options).run()
    from mssql_reverse_etl.cluster.run import run_on_cluster  # noqa: PLC0415 - slow
    from mssql_reverse_etl.pipe import Pipe  # noqa: PLC0415 - only for this
    from mssql_reverse_etl.retries import retry_rejected  # noqa: PLC0415 - slow

    retry_rejected(Pipe(sources.inherited), sources.configuration, sources.targets)
    return run_on_cluster(
        sources,
        settings,
        resync=resync,
        address=None if dask == _LOCAL else dask,
        workers=workers,
    )
