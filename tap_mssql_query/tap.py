"""TapMSSQLQuery: wires the parts together; the command line and its exit codes."""

from __future__ import annotations

import json
import signal
import sys
import threading
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, ClassVar, cast

from singer_sdk import Tap
from singer_sdk.helpers.capabilities import PluginCapabilities, TapCapabilities
from singer_sdk.plugin_base import PluginBase
from singer_sdk.singerlib.encoding import SimpleSingerWriter

from program_kit.command_line import reason_of, run_program, say_unreadable
from tap_mssql_query.cli_options import OPTIONS
from tap_mssql_query.encoding.singer_json import dump_message
from tap_mssql_query.errors import (
    ConfigurationError,
    Interrupted,
    OutputClosed,
    StateError,
    TapError,
)
from tap_mssql_query.settings.model import parse_settings
from tap_mssql_query.settings.table import CONFIG_JSONSCHEMA
from tap_mssql_query.sql.meltano_expansion import find_lost_variable
from tap_mssql_query.sync import bookmarks
from tap_mssql_query.sync.context import RunContext
from tap_mssql_query.sync.report import TapReport
from tap_mssql_query.sync.run_errors import RunErrors
from tap_mssql_query.sync.run_options import RunOptions, find_problems

if TYPE_CHECKING:
    from types import FrameType

    import click
    import pyarrow as pa
    from singer_sdk.singerlib import Message

    from tap_mssql_query.stream import QueryStream


class LineWriter(SimpleSingerWriter):
    """Writes whole lines to stdout; a signal waits until the line is out.

    A handler that raised in mid line would leave half a message behind.
    """

    def __init__(self) -> None:
        self._is_writing = False
        self._signal: int | None = None

    def write_message(self, message: Message) -> None:
        """Write one message of the SDK's."""
        self.write_lines(dump_message(message.to_dict()))

    def write_lines(self, lines: bytes | pa.Buffer) -> None:
        """Write encoded messages. Raises OutputClosed, or Interrupted after a signal."""
        self._is_writing = True
        try:
            sys.stdout.buffer.write(lines)
            sys.stdout.buffer.flush()
        except BrokenPipeError as error:
            raise OutputClosed("stdout was closed") from error
        finally:
            self._is_writing = False
        if self._signal is not None:
            raise Interrupted(self._signal)

    def interrupt(self, signal_number: int) -> None:
        """Raise Interrupted, now or after the line that is being written."""
        self._signal = signal_number
        if not self._is_writing:
            raise Interrupted(signal_number)


class TapMSSQLQuery(Tap):
    """Singer tap for the results of SQL Server queries."""

    name = "tap-mssql-query"
    package_name = "mssql-reverse-etl"
    config_jsonschema: ClassVar[dict[str, Any]] = CONFIG_JSONSCHEMA
    message_writer_class = LineWriter
    message_writer: LineWriter
    # BATCH files would bypass the target's acknowledgements.
    capabilities: ClassVar[list[Any]] = [
        TapCapabilities.CATALOG,
        TapCapabilities.STATE,
        TapCapabilities.DISCOVER,
        PluginCapabilities.ABOUT,
        PluginCapabilities.STREAM_MAPS,
        PluginCapabilities.FLATTENING,
        PluginCapabilities.STRUCTURED_LOGGING,
    ]

    def __init__(self, *, run_options: RunOptions | None = None, **kwargs: Any) -> None:
        self.run_options = run_options or RunOptions()
        self.report = TapReport()
        self.errors = RunErrors()
        super().__init__(**kwargs)

    # What the SDK asks of a tap

    def discover_streams(self) -> list[QueryStream]:
        """One stream per sync; a warning for each query with a lost variable."""
        from tap_mssql_query.stream import QueryStream  # noqa: PLC0415 - not for --about

        for sync in self.settings.syncs:
            if lost := find_lost_variable(sync.query):
                self.logger.warning("sync=%s: %s", sync.name, lost)
        context = RunContext(
            settings=self.settings,
            options=self.run_options,
            state=cast("dict[str, Any]", self.state),
            write_lines=self.message_writer.write_lines,
            write_state=lambda: self.state_writer.write_state(self.state),
            report=self.report,
            errors=self.errors,
        )
        return [QueryStream(self, sync, context) for sync in self.settings.syncs]

    def setup_mapper(self) -> None:
        """Set up stream maps without schemas: those would need a connection at every start."""
        PluginBase.setup_mapper(self)

    def load_state(self, state: dict[str, Any]) -> None:
        """Take the state, after a look at its shape. Raises StateError."""
        bookmarks.check_state(state)
        super().load_state(state)

    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:  # noqa: ARG002
        """Check settings and options, all problems at once. Raises ConfigurationError."""
        self.settings = parse_settings(self._config)
        if problems := list(find_problems(self.run_options, self.settings.syncs)):
            raise ConfigurationError(*problems)
        return []

    def _setup_signal_handlers(self) -> None:
        super()._setup_signal_handlers()
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGHUP, self._handle_termination)

    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002
        self.message_writer.interrupt(signum)

    # One run

    def run(self) -> None:
        """Run all syncs, and tell what became of each. Raises TapError."""
        try:
            self.sync_all()
        finally:
            if path := self.settings.report_path:
                self.report.write(Path(path))
        self.errors.raise_any()

    # Instead of a run

    def check(self) -> None:
        """Print what is found of all databases and syncs. Raises TapError if that has errors."""
        from program_kit.console import print_findings  # noqa: PLC0415 - slow
        from tap_mssql_query.checks.preflight import check_all, raise_worst  # noqa: PLC0415 - slow

        checked = list(check_all(self.settings, self.config.get("stream_maps", {})))
        print_findings(checked)
        raise_worst(checked)

    def preview(self, sync_name: str, limit: int) -> None:
        """Print the first rows of one sync. Raises TapError."""
        from tap_mssql_query.checks.console import print_rows  # noqa: PLC0415 - slow
        from tap_mssql_query.checks.preview import find_sync, read_preview  # noqa: PLC0415 - slow

        sync = find_sync(sync_name, self.settings.syncs)
        shown = read_preview(sync, self.settings, self.run_options, self.state, limit=limit)
        print_rows(shown.columns, shown.rows)

    # Command line

    @classmethod
    def get_singer_command(cls) -> click.Command:
        """The SDK's options and ours."""
        command = super().get_singer_command()
        command.params += OPTIONS
        return command

    @classmethod
    def cb_config(cls, ctx: click.Context, param: click.Option, value: tuple[str, ...]) -> Any:
        """Read the configuration files. Raises ConfigurationError."""
        try:
            return super().cb_config(ctx, param, value)
        except (OSError, ValueError) as error:
            raise ConfigurationError(say_unreadable(value, error)) from error

    @classmethod
    def invoke(  # type: ignore[override]  # as in the SDK's own Tap
        cls,
        *,
        about: bool = False,
        about_format: str | None = None,
        config: Any = None,
        state: IO[str] | None = None,
        catalog: IO[str] | None = None,
        resync: tuple[str, ...] = (),
        since: int | None = None,
        until: int | None = None,
        locked: tuple[str, ...] = (),
        partition: int | None = None,
        check: bool = False,
        preview: str | None = None,
        limit: int = 10,
    ) -> None:
        """Run all syncs, or do what else the command line asks for. Raises TapError."""
        if about:
            cls.print_about(about_format)
            return
        loaded_state = _load_json(state, StateError, "state")
        bookmarks.check_state(loaded_state)  # the SDK takes an empty list for none
        tap = cls(
            config=config.config,
            parse_env_config=config.parse_env,
            state=loaded_state,
            catalog=_load_json(catalog, ConfigurationError, "catalog") or None,
            run_options=RunOptions(
                resync=resync, since=since, until=until, locked=locked, partition=partition
            ),
        )
        if check:
            tap.check()
        elif preview is not None:
            tap.preview(preview, limit)
        else:
            tap.run()


def _load_json(file: IO[str] | None, kind: type[ConfigurationError], what: str) -> Any:
    if file is None:
        return {}
    try:
        return json.load(file)
    except ValueError as error:
        raise kind(
            f"The {what} file {file.name} is not JSON ({reason_of(error)}). Restore it; nothing "
            f"was read. To start without one, leave --{what} out."
        ) from error


def main() -> None:
    """Run the command line; exit codes are those of `errors`."""
    run_program(TapMSSQLQuery.cli, TapMSSQLQuery.logger, TapError)
