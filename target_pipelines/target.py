"""TargetPipelines: wires the parts together; the command line and its exit codes."""

from __future__ import annotations

import contextlib
import json
import signal
import sys
import threading
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, ClassVar

import click
from singer_sdk import Sink, Target
from singer_sdk.helpers.capabilities import PluginCapabilities
from singer_sdk.plugin_base import PluginBase
from singer_sdk.singerlib.encoding.base import GenericSingerReader

from tap_mssql_query.command_line import run_program, say_unreadable
from target_pipelines.assembly import build_pipeline, print_state
from target_pipelines.call_type_table import print_call_types
from target_pipelines.configuration import load_configuration
from target_pipelines.errors import ConfigurationError, Interrupted, PipelinesError
from target_pipelines.line_reader import read_blocks
from target_pipelines.pipeline import running
from target_pipelines.replay import Replay, as_replay
from target_pipelines.report import RunReport, print_summaries, write_report
from target_pipelines.settings_table import CONFIG_JSONSCHEMA
from target_pipelines.stdout import private_stdout
from target_pipelines.worker_pool import WorkerPool

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator, Mapping
    from types import FrameType

    from target_pipelines.acks import State
    from target_pipelines.configuration import Configuration
    from target_pipelines.pipeline import Run


class _Reader(GenericSingerReader[Any]):
    """Lets the SDK read through the target's own loop."""

    def __init__(self, target: TargetPipelines) -> None:
        super().__init__()
        self._target = target

    @property
    def default_input(self) -> IO[Any]:
        """stdin, as it is now."""
        return sys.stdin

    def process_lines(self, file_input: IO[Any] | None, callbacks: object) -> Counter[str]:  # noqa: ARG002
        """Process all lines. Raises PipelinesError."""
        return self._target.run(file_input or self.default_input)

    def deserialize_json(self, line: Any) -> dict[str, Any]:
        """One line's message; the loop has a faster way."""
        message: dict[str, Any] = json.loads(line)
        return message


class TargetPipelines(Target):
    """Singer target that delivers rows as calls."""

    name = "target-pipelines"
    package_name = "mssql-reverse-etl"
    config_jsonschema: ClassVar[dict[str, Any]] = CONFIG_JSONSCHEMA
    capabilities: ClassVar[list[Any]] = [
        PluginCapabilities.ABOUT,
        PluginCapabilities.STRUCTURED_LOGGING,
    ]
    default_sink_class = Sink  # never used: records do not pass through the SDK's sinks

    def __init__(self, *, is_dry_run: bool = False, **kwargs: Any) -> None:
        self._is_dry_run = is_dry_run
        self._signal: int | None = None
        self._is_reading = False
        kwargs.setdefault("message_reader", _Reader(self))
        super().__init__(**kwargs)

    # What the SDK asks of a target

    @classmethod
    def append_builtin_config(cls, config_jsonschema: dict[str, Any]) -> None:
        """Nothing of the SDK's: its settings are about tables."""

    def setup_mapper(self) -> None:
        """No stream maps: mapping is what the target is for; the tap has them."""
        PluginBase.setup_mapper(self)

    def process_endofpipe(self) -> None:
        """Nothing is left: `run` ends when everything is settled."""

    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:  # noqa: ARG002
        """Nothing yet: `run` checks everything at once, plugins included."""
        return []

    def _setup_signal_handlers(self) -> None:
        super()._setup_signal_handlers()
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGHUP, self._handle_termination)

    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Note the signal; only where nothing can be left half done it ends the run at once."""
        self._signal = signum
        if self._is_reading:
            self._check_interrupted()

    # One run

    def run(self, source: IO[Any]) -> Counter[str]:
        """Deliver everything in `source`; the number of messages by type. Raises PipelinesError."""
        with private_stdout() as write:
            configuration = load_configuration(self._config)
            reports = _new_reports(configuration)
            options: dict[str, Any] = {
                "reports": reports,
                "check_interrupted": self._check_interrupted,
                "write_state": partial(print_state, write),
            }
            run: Run
            if self._is_dry_run:
                options["write_state"] = _forget
                run = build_pipeline(configuration, write_calls=write, **options)
            elif configuration.settings.processes > 1:
                run = WorkerPool(configuration, **options)
            else:
                run = build_pipeline(configuration, **options)
            with _reporting(configuration, reports), running(run):
                for lines in self._read_blocks(source):
                    run.process(lines)
            return run.message_counts

    def replay(self, path: Path) -> None:
        """Send the dead letters of a file again. Raises PipelinesError."""
        with private_stdout() as write:
            configuration = as_replay(load_configuration(self._config))
            replay = Replay(path)
            reports = _new_reports(configuration)
            pipeline = build_pipeline(
                configuration,
                reports=reports,
                write_state=_forget,
                check_interrupted=self._check_interrupted,
                dead_letters=replay.open_dead_letters(),
                write_calls=write if self._is_dry_run else None,
            )
            with _reporting(configuration, reports), running(pipeline):
                replay.send(pipeline)
            if not self._is_dry_run:
                replay.finish()

    def _read_blocks(self, source: IO[Any]) -> Iterator[list[bytes]]:
        """Blocks of the input; a signal ends the wait for the next one."""
        blocks = read_blocks(source)
        while True:
            self._is_reading = True
            try:
                self._check_interrupted()
                lines = next(blocks, None)
            finally:
                self._is_reading = False
            if lines is None:
                return
            yield lines

    def _check_interrupted(self) -> None:
        if self._signal is not None:
            raise Interrupted(self._signal)

    # Command line

    @classmethod
    def get_singer_command(cls) -> click.Command:
        """The SDK's options and ours."""
        command = super().get_singer_command()
        command.params += [
            click.Option(
                ["--dry-run"],
                is_flag=True,
                help="Print the calls instead of sending them; counts on stderr.",
            ),
            click.Option(
                ["--replay"],
                type=click.Path(path_type=Path),
                metavar="FILE",
                help="Send the dead letters of this file again; those that fail again stay in it.",
            ),
            click.Option(
                ["--list-call-types"], is_flag=True, help="Show the call types and their plugins."
            ),
        ]
        return command

    @classmethod
    def cb_config(cls, ctx: click.Context, param: click.Option, value: tuple[str, ...]) -> Any:
        """Read the configuration files. Raises ConfigurationError."""
        try:
            return super().cb_config(ctx, param, value)
        except (OSError, ValueError) as error:
            raise ConfigurationError(say_unreadable(value, error)) from error

    @classmethod
    def invoke(  # type: ignore[override]  # as in the SDK's own Target
        cls,
        *,
        about: bool = False,
        about_format: str | None = None,
        config: Any = None,
        file_input: IO[str] | None = None,
        dry_run: bool = False,
        replay: Path | None = None,
        list_call_types: bool = False,
    ) -> None:
        """Do what the command line asks for. Raises PipelinesError."""
        if about:
            cls.print_about(about_format)
            return
        target = cls(config=config.config, parse_env_config=config.parse_env, is_dry_run=dry_run)
        if list_call_types:
            print_call_types(load_configuration(target.config).plugins.call_types)
            return
        if replay is not None:
            target.replay(replay)
            return
        target.listen(file_input)


def _new_reports(configuration: Configuration) -> dict[str, RunReport]:
    return {settings.destination_name: RunReport() for settings in configuration.routes}


@contextlib.contextmanager
def _reporting(configuration: Configuration, reports: Mapping[str, RunReport]) -> Iterator[None]:
    """Show the summary when the block ends, however it does."""
    try:
        yield
    finally:
        print_summaries(reports)
        if path := configuration.settings.report_path:
            write_report(reports, Path(path))


def _forget(_: State) -> None:
    """States are not printed: nothing was read that a next run must not read again."""


def main() -> None:
    """The console script `target-pipelines`; exit codes are those of `errors`."""
    run_program(TargetPipelines.cli, TargetPipelines.logger, PipelinesError)
