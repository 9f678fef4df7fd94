"""What a run or a plan starts from: a project, or the files of the command line; its state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mssql_reverse_etl.history.run_record import RunRecord
from mssql_reverse_etl.run.state_file import StateFile
from mssql_reverse_etl.screens.run import Commands
from program_kit.report_file import find_report_path, remove_report, report_path_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import ExitStack
    from pathlib import Path

    from mssql_reverse_etl.project.loading import Project
    from tap_mssql_query.settings.model import TapSettings
    from target_pipelines.run.configuration import Configuration


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSources:
    """Both configurations, and the state file, which a run has locked.

    Attributes:
        file: the state file.
        tap: the configuration of the tap.
        settings: its settings.
        target: the configuration of the target.
        configuration: its settings and plugins.
        taps: configurations of the tap for its command line: paths, or `ENV`.
        targets: the same for the target.
        inherited: descriptors that the paths name.
        commands: what people type after the run.
        record: what the history keeps of the run.
    """

    file: StateFile
    tap: Mapping[str, Any]
    settings: TapSettings
    target: Mapping[str, Any]
    configuration: Configuration
    taps: Sequence[str]
    targets: Sequence[str]
    inherited: Sequence[int] = ()
    commands: Commands
    record: RunRecord


def open_project(project: Project, record: RunRecord, stack: ExitStack) -> RunSources:
    """A loaded project; its state is locked until the stack is closed.

    Raises UsageError, StateNotWritten or AlreadyRunning.
    """
    from mssql_reverse_etl.project.starting import make_private_folder  # noqa: PLC0415 - slow

    make_private_folder(project.path.parent)
    sources = read_project(project, stack, record)
    stack.enter_context(sources.file.locked())
    record.close_killed()
    remove_report(report_path_of(project.tap))
    remove_report(report_path_of(project.target))
    return sources


def read_project(project: Project, stack: ExitStack, record: RunRecord | None = None) -> RunSources:
    """A loaded project without a lock, for a plan; its files stay until the stack is closed."""
    from mssql_reverse_etl.project.private_files import private_file  # noqa: PLC0415 - slow

    tap, tap_file = stack.enter_context(private_file("tap", project.tap))
    target, target_file = stack.enter_context(private_file("target", project.target))
    return RunSources(
        file=StateFile(project.state),
        tap=project.tap,
        settings=project.settings,
        target=project.target,
        configuration=project.configuration,
        taps=[tap],
        targets=[target],
        inherited=[tap_file, target_file],
        commands=Commands(),
        record=record or RunRecord(),
    )


def open_files(
    taps: Sequence[str], targets: Sequence[str], state: Path, stack: ExitStack
) -> RunSources:
    """The files of the command line; the state is locked until the stack is closed.

    Raises UsageError, ConfigurationError, PluginError, StateNotWritten or AlreadyRunning.
    """
    file = StateFile(state)
    stack.enter_context(file.locked())
    # This run may end before it writes reports of its own.
    remove_report(find_report_path(taps, env_prefix="TAP_MSSQL_QUERY"))
    remove_report(find_report_path(targets, env_prefix="TARGET_PIPELINES"))
    return read_files(taps, targets, file)


def read_files(taps: Sequence[str], targets: Sequence[str], file: StateFile) -> RunSources:
    """The files of the command line. Raises UsageError, ConfigurationError or PluginError."""
    from mssql_reverse_etl.programs.configuration import read_tap_config  # noqa: PLC0415 - slow
    from target_pipelines.command_line import read_target_config  # noqa: PLC0415 - slow
    from target_pipelines.run.configuration import load_configuration  # noqa: PLC0415 - slow

    tap, settings = read_tap_config(taps)
    target = dict(read_target_config(targets))
    configuration = load_configuration(target)
    return RunSources(
        file=file,
        tap=tap,
        settings=settings,
        target=target,
        configuration=configuration,
        taps=taps,
        targets=targets,
        commands=_commands_of(configuration),
        record=RunRecord(),
    )


def _commands_of(configuration: Configuration) -> Commands:
    """What people type after a run without a project."""
    paths = list(dict.fromkeys(each.dead_letter_path for each in configuration.destinations))
    return Commands(
        rejected=" and ".join(paths),
        replay="; ".join(f"target-pipelines --config … --replay {path}" for path in paths),
        resync="mssql-reverse-etl run …",
    )
