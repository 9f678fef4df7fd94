"""`mssql-reverse-etl run`."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mssql_reverse_etl.commands.project_option import project_option, project_path
from mssql_reverse_etl.errors import UsageError
from mssql_reverse_etl.state_file import StateFile
from program_kit.report_file import find_report_path, remove_report, report_path_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mssql_reverse_etl.history.run_record import RunRecord

_LOCAL = "local"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sources:
    """Where the configurations and the state of a run are.

    Attributes:
        taps: configurations of the tap: paths, or `ENV`.
        targets: the same for the target.
        state: the state file.
        inherited: descriptors that the paths name.
    """

    taps: Sequence[str]
    targets: Sequence[str]
    state: Path
    inherited: Sequence[int] = ()


@click.command()
@project_option
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
        sources = _find_sources(names, taps, targets, state, stack, record)
        code = record.exit_code = _run(sources, names, resync, start_now, dask, workers, record)
    sys.exit(code)


def _open_record(stack: ExitStack, dask: str | None, *, is_project: bool) -> RunRecord:
    """The record of the run in the history, which only a project has."""
    from mssql_reverse_etl.history.recording import recording  # noqa: PLC0415 - slow
    from mssql_reverse_etl.history.run_record import RunRecord  # noqa: PLC0415 - with it

    if not is_project:
        return RunRecord()
    trigger = "command" if dask is None else "cluster"
    return stack.enter_context(recording(project_path(), trigger=trigger))


def _find_sources(
    names: Sequence[str],
    taps: Sequence[str],
    targets: Sequence[str],
    state: Path | None,
    stack: ExitStack,
    record: RunRecord,
) -> _Sources:
    """The files of the command line, or those of the project. Raises UsageError."""
    if taps and targets and state:
        return _Sources(taps=taps, targets=targets, state=state)
    if taps or targets or state:
        raise UsageError("--tap, --target and --state belong together. Give all three, or none.")
    from mssql_reverse_etl.history.recording import describe_project  # noqa: PLC0415 - slow
    from mssql_reverse_etl.project.loading import load_project  # noqa: PLC0415 - slow
    from mssql_reverse_etl.project.private_files import private_file  # noqa: PLC0415 - with it
    from mssql_reverse_etl.project.starting import make_private_folder  # noqa: PLC0415 - with it

    project = load_project(project_path())
    describe_project(record, project, names)
    tap, tap_file = stack.enter_context(private_file("tap", project.tap))
    target, target_file = stack.enter_context(private_file("target", project.target))
    make_private_folder(project.path.parent)
    return _Sources(
        taps=[tap], targets=[target], state=project.state, inherited=[tap_file, target_file]
    )


def _run(
    sources: _Sources,
    names: Sequence[str],
    resync: Sequence[str],
    start_now: Sequence[str],
    dask: str | None,
    workers: int | None,
    record: RunRecord,
) -> int:
    """Run the syncs; the exit code."""
    file = StateFile(sources.state)
    with file.locked():
        record.close_killed()
        _remove_reports(sources)
        from mssql_reverse_etl.configuration import (  # noqa: PLC0415 - slow
            find_shared_files,
            read_tap_config,
        )
        from mssql_reverse_etl.project.names import (  # noqa: PLC0415 - slow
            choose_syncs,
            find_unknown_names,
        )
        from tap_mssql_query.sync.run_options import RunOptions, find_problems  # noqa: PLC0415 - slow
        from target_pipelines.command_line import read_target_config  # noqa: PLC0415 - slow
        from target_pipelines.run.configuration import load_configuration  # noqa: PLC0415 - slow

        tap_config, settings = read_tap_config(sources.taps)
        file.read()  # a damaged file fails before any query runs
        target_config = dict(read_target_config(sources.targets))
        configuration = load_configuration(target_config)
        options = RunOptions(resync=resync, start_now=start_now)
        if problems := [
            *find_problems(options, settings.syncs),
            *find_shared_files(sources.state, tap_config, configuration),
            *find_unknown_names(names, settings),
        ]:
            raise UsageError(*problems)
        settings = choose_syncs(names, settings)
        if dask is None:
            from mssql_reverse_etl.local_run import LocalRun  # noqa: PLC0415 - slow

            return LocalRun(
                settings=settings,
                configuration=configuration,
                file=file,
                taps=sources.taps,
                targets=sources.targets,
                tap_options=_repeated("--resync", resync) + _repeated("--start-now", start_now),
                tap_report=report_path_of(tap_config),
                inherited=sources.inherited,
                has_stream_maps=bool(tap_config.get("stream_maps")),
                record=record,
            ).run()
        from mssql_reverse_etl.cluster.run import run_on_cluster  # noqa: PLC0415 - slow
        from mssql_reverse_etl.pipe import Pipe  # noqa: PLC0415 - only for this
        from mssql_reverse_etl.retries import retry_rejected  # noqa: PLC0415 - slow

        retry_rejected(Pipe(sources.inherited), configuration, sources.targets)
        return run_on_cluster(
            tap_config,
            settings,
            target_config,
            file,
            resync=resync,
            address=None if dask == _LOCAL else dask,
            workers=workers,
            record=record,
        )


def _remove_reports(sources: _Sources) -> None:
    """Remove the reports of the run before: this one may end before it writes its own."""
    remove_report(find_report_path(sources.taps, env_prefix="TAP_MSSQL_QUERY"))
    remove_report(find_report_path(sources.targets, env_prefix="TARGET_PIPELINES"))


def _repeated(option: str, values: Sequence[str]) -> list[str]:
    return [argument for value in values for argument in (option, value)]
