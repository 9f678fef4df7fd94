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
    from mssql_reverse_etl.run.sources import RunSources
    from tap_mssql_query.sync.run_options import RunOptions

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
    if workers is not None and dask is None:
        raise UsageError("--workers is for --dask. Add --dask, or leave --workers out.")
    if dask is not None:
        _refuse_on_cluster(
            start_now=start_now, limit=limit, since=since, until=until, dry_run=dry_run
        )
    from tap_mssql_query.sync.run_options import RunOptions  # noqa: PLC0415 - slow

    options = RunOptions(resync=resync, start_now=start_now, limit=limit, since=since, until=until)
    with ExitStack() as stack:
        if dry_run:
            from mssql_reverse_etl.commands.plan import print_plan  # noqa: PLC0415 - slow

            sys.exit(print_plan(_read_sources(taps, targets, state, stack), names, options))
        record = _open_record(stack, dask, is_project=not (taps or targets or state))
        sources = _open_sources(names, taps, targets, state, stack, record)
        code = record.exit_code = _run(sources, names, options, dask, workers, record)
    sys.exit(code)


def _refuse_on_cluster(**options: object) -> None:
    """Raise UsageError for an option that a cluster does not know."""
    given = [
        f"--{name.replace('_', '-')}"
        for name, value in options.items()
        if value not in (None, ()) and value is not False
    ]
    if given:
        raise UsageError(
            f"{' and '.join(given)} cannot be combined with --dask. Run once without --dask."
        )


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
    from mssql_reverse_etl.run.sources import open_files, open_project  # noqa: PLC0415 - slow

    if files := _files_of(taps, targets, state):
        return open_files(taps, targets, files, stack)
    from mssql_reverse_etl.history.recording import describe_project  # noqa: PLC0415 - slow
    from mssql_reverse_etl.project.loading import load_project  # noqa: PLC0415 - slow

    project = load_project(project_path())
    describe_project(record, project, names)
    return open_project(project, record, stack)


def _read_sources(
    taps: Sequence[str], targets: Sequence[str], state: Path | None, stack: ExitStack
) -> RunSources:
    """The same for a plan, which locks and records nothing. Raises ProgramError."""
    from mssql_reverse_etl.run.sources import read_files, read_project  # noqa: PLC0415 - slow
    from mssql_reverse_etl.run.state_file import StateFile  # noqa: PLC0415 - with it

    if files := _files_of(taps, targets, state):
        return read_files(taps, targets, StateFile(files))
    from mssql_reverse_etl.project.loading import load_project  # noqa: PLC0415 - slow

    return read_project(load_project(project_path()), stack)


def _files_of(taps: Sequence[str], targets: Sequence[str], state: Path | None) -> Path | None:
    """The state file of the command line; None for a project. Raises UsageError."""
    if taps and targets and state:
        return state
    if taps or targets or state:
        raise UsageError("--tap, --target and --state belong together. Give all three, or none.")
    return None


def _run(
    sources: RunSources,
    names: Sequence[str],
    options: RunOptions,
    dask: str | None,
    workers: int | None,
    record: RunRecord,
) -> int:
    """Run the syncs; the exit code."""
    from mssql_reverse_etl.run.chosen_syncs import find_chosen  # noqa: PLC0415 - slow

    try:
        settings = find_chosen(sources, names, options)
    except UsageError:
        record.name_syncs({})  # none of them has failed
        raise
    if dask is None:
        from mssql_reverse_etl.run.local_run import LocalRun  # noqa: PLC0415 - slow

        return LocalRun(settings=settings, sources=sources, options=options).run()
    from mssql_reverse_etl.cluster.run import run_on_cluster  # noqa: PLC0415 - slow
    from mssql_reverse_etl.programs.pipe import Pipe  # noqa: PLC0415 - only for this
    from mssql_reverse_etl.run.retries import retry_rejected  # noqa: PLC0415 - slow

    retry_rejected(Pipe(sources.inherited), sources.configuration, sources.targets)
    return run_on_cluster(
        sources,
        settings,
        resync=options.resync,
        address=None if dask == _LOCAL else dask,
        workers=workers,
    )
