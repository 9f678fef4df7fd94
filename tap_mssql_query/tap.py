"""TapMSSQLQuery: singer-sdk's view of the tap, and its command line."""

from __future__ import annotations

import os
from copy import deepcopy
from typing import TYPE_CHECKING, Any, ClassVar, cast

import click
from singer_sdk import Tap
from singer_sdk.helpers._classproperty import classproperty
from singer_sdk.helpers.capabilities import PluginCapabilities, TapCapabilities
from singer_sdk.plugin_base import PluginBase
from singer_sdk.singerlib import Catalog

from program_kit import events
from program_kit.command_line import read_config, run_program
from program_kit.environment import Environment
from program_kit.report_file import find_report_path, remove_report, report_path_of
from program_kit.signals import on_stop_signals
from program_kit.text_files import UNREADABLE, describe_read_error, read_json
from tap_mssql_query.cli_options import OPTIONS
from tap_mssql_query.encoding.columns import columns_of_description, json_schema_of_records
from tap_mssql_query.errors import ConfigurationError, StateError
from tap_mssql_query.line_writer import LineWriter
from tap_mssql_query.mapping import stream_maps_of
from tap_mssql_query.mssql.connections import Connections
from tap_mssql_query.selection import read_selection, read_stream_maps
from tap_mssql_query.settings.model import parse_settings
from tap_mssql_query.settings.stream_maps import (
    find_unknown_removals,
    plain_stream_maps,
    restore_nulls,
)
from tap_mssql_query.settings.table import CONFIG_JSONSCHEMA
from tap_mssql_query.sql.meltano_expansion import find_lost_variable
from tap_mssql_query.sync import bookmarks
from tap_mssql_query.sync.context import RunContext
from tap_mssql_query.sync.renames import carry_over, find_foreign_state
from tap_mssql_query.sync.report import TapReport, reporting_failed_start
from tap_mssql_query.sync.run_errors import RunErrors
from tap_mssql_query.sync.run_options import RunOptions, find_problems

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from program_kit.findings import CheckResult
    from tap_mssql_query.call_types import CallTypes
    from tap_mssql_query.mssql.describe import DescribedColumn
    from tap_mssql_query.settings.model import SyncSettings
    from tap_mssql_query.stream import QueryStream


ENV_PREFIX = "TAP_MSSQL_QUERY"
_PREVIEW_ROWS = 10


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

    @classmethod
    def environment(cls) -> Environment:
        """The variables of all settings, the SDK's included."""
        schema = deepcopy(cls.config_jsonschema)
        cls.append_builtin_config(schema)
        return Environment(f"{ENV_PREFIX}_", schema["properties"])

    # Overrides of the SDK

    @classproperty
    def _env_var_config(cls) -> dict[str, Any]:  # noqa: N805 - as in the SDK
        return cls.environment().read(ConfigurationError)

    def discover_streams(self) -> list[QueryStream]:
        """One stream per sync; a warning for each query that lost a variable to Meltano."""
        from tap_mssql_query.stream import QueryStream  # noqa: PLC0415 - not for --about

        for sync in self.settings.syncs:
            if lost := find_lost_variable(sync.query):
                self.logger.warning("sync=%s: %s", sync.name, lost)
        context = RunContext(
            settings=self.settings,
            options=self.run_options,
            state=cast("dict[str, Any]", self.state),
            write_lines=self.message_writer.write_lines,
            write_state=self._write_state,
            connections=Connections(self.settings),
            report=self.report,
            errors=self.errors,
        )
        selection = read_selection(os.environ)
        return [QueryStream(self, sync, context, selection) for sync in self.settings.syncs]

    @property
    def _singer_catalog(self) -> Catalog:
        """An entry for each sync, without columns for one that cannot be described.

        Raises TapError if none can be: there is nothing that a run could deliver.
        """
        streams = [cast("QueryStream", stream) for stream in self.streams.values()]
        catalog = Catalog((stream.tap_stream_id, stream.catalog_entry()) for stream in streams)
        if streams and all(stream.name in self.errors for stream in streams):
            self.errors.raise_if_failed("could not be described")
        return catalog

    def _write_state(self) -> None:
        self.state.setdefault("bookmarks", {})
        self.state_writer.write_state(self.state)

    def setup_mapper(self) -> None:
        """Set up stream maps without schemas: those would need a connection at every start."""
        PluginBase.setup_mapper(self)

    def load_state(self, state: dict[str, Any]) -> None:
        """Load a state after validating its shape; renamed syncs keep theirs. Raises StateError."""
        super().load_state(carry_over(bookmarks.unwrap_state(state), self.settings.syncs))
        if problem := find_foreign_state(self.settings.syncs, self.state):
            self.logger.warning("%s", problem)

    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:  # noqa: ARG002
        """Validate settings and options. Raises ConfigurationError with all problems."""
        if told := read_stream_maps(os.environ):
            self._config["stream_maps"] = restore_nulls(self._config.get("stream_maps"), told)
        self.settings = parse_settings(self._config)
        if "stream_maps" in self._config:
            self._config["stream_maps"] = plain_stream_maps(self._config["stream_maps"])
        if problems := list(find_problems(self.run_options, self.settings.syncs)):
            raise ConfigurationError(*problems)
        return []

    def _setup_signal_handlers(self) -> None:
        # The SDK calls this before `message_writer` is set.
        on_stop_signals(lambda number: self.message_writer.interrupt(number))  # noqa: PLW0108

    # What the command line can ask for

    def run(self) -> None:
        """Run all syncs and write the report. Raises TapError."""
        with self.report.written_to(report_path_of(self.config)):
            self._check_selection()
            self.sync_all()
            self.errors.raise_if_failed()

    def _check_selection(self) -> None:
        """Raise ConfigurationError if Meltano's selection leaves out something of an unknown sync.

        Rows that should stay would be sent under the right name.
        """
        selection = read_selection(os.environ)
        if self.input_catalog is None or selection is None:
            return
        found = list(selection.find_unknown_syncs([sync.name for sync in self.settings.syncs]))
        for sentence, leaves_out in found:
            if not leaves_out:
                self.logger.warning("%s", sentence)
        if problems := [sentence for sentence, leaves_out in found if leaves_out]:
            raise ConfigurationError(*problems)

    def check(self) -> None:
        """Print the findings about all databases and syncs. Raises TapError for errors."""
        from program_kit.console import print_findings  # noqa: PLC0415 - slow
        from tap_mssql_query.checks.preflight import raise_for_errors  # noqa: PLC0415

        results = list(self.find_results())
        print_findings(results)
        raise_for_errors(results)

    def find_results(self, call_types: CallTypes | None = None) -> Iterator[CheckResult]:
        """Check all databases and syncs; against the installed call types unless others are given.

        No finding ends the check.
        """
        from tap_mssql_query.checks.preflight import check_all  # noqa: PLC0415 - slow

        maps = self.config.get("stream_maps") or {}
        yield from check_all(
            self.settings, maps, self.state, self._find_mapping_problems, call_types
        )

    def _find_mapping_problems(
        self, sync: SyncSettings, columns: Sequence[DescribedColumn]
    ) -> Iterator[str]:
        """What is wrong with a sync's stream maps and Meltano's selection, for these columns."""
        names = [column.name for column in columns]
        yield from find_unknown_removals(self.config.get("stream_maps"), sync.name, names)
        if selection := read_selection(os.environ):
            yield from selection.find_problems(sync.name, names, sync.key_columns)
        schema = json_schema_of_records(columns_of_description(columns, sync.json_columns))
        try:
            stream_maps_of(self.mapper, sync.name, schema, sync.key_columns)
        except ConfigurationError as error:
            yield str(error)

    def preview(self, sync_name: str, limit: int) -> None:
        """Print the first rows of one sync. Raises TapError."""
        from tap_mssql_query.checks.console import print_rows  # noqa: PLC0415 - slow
        from tap_mssql_query.checks.preview import find_sync, read_preview  # noqa: PLC0415 - slow

        sync = find_sync(sync_name, self.settings.syncs)
        preview = read_preview(sync, self.settings, self.run_options, self.state, limit=limit)
        print_rows(preview.columns, preview.rows)

    # Command line

    @classmethod
    def get_singer_command(cls) -> click.Command:
        """The SDK's command with further options; `invoke` opens the files, and reports errors."""
        command = super().get_singer_command()
        for param in command.params:
            if isinstance(param.type, click.File):
                param.type = click.Path(allow_dash=True)
        command.params += OPTIONS
        return command

    @classmethod
    def cb_config(cls, ctx: click.Context, param: click.Option, value: tuple[str, ...]) -> Any:
        """Read the configuration files. Raises ConfigurationError."""
        given = super().cb_config(ctx, param, ())
        try:
            given.config = read_config(value, ConfigurationError, cls.environment())
            given.parse_env = False  # it was read, in the order of the options
        except ConfigurationError:
            remove_report(find_report_path(value, env_prefix=ENV_PREFIX))
            raise
        return given

    @classmethod
    def invoke(  # type: ignore[override]  # as in the SDK's own Tap
        cls,
        *,
        about: bool = False,
        about_format: str | None = None,
        config: Any = None,
        state: str | None = None,
        catalog: str | None = None,
        resync: tuple[str, ...] = (),
        since: int | None = None,
        until: int | None = None,
        locked: tuple[str, ...] = (),
        partition: int | None = None,
        start_now: tuple[str, ...] = (),
        check: bool = False,
        preview: str | None = None,
        limit: int | None = None,
    ) -> None:
        """Run all syncs, or --about, --check or --preview. Raises TapError."""
        if about:
            cls.print_about(about_format)
            return
        is_run = not check and preview is None
        with reporting_failed_start(_report_path(config) if is_run else None):
            loaded_state = bookmarks.unwrap_state(_load_json(state, StateError, "state"))
            tap = cls(
                config=config.config,
                parse_env_config=config.parse_env,
                state=loaded_state,
                catalog=_load_json(catalog, ConfigurationError, "catalog") or None,
                run_options=RunOptions(
                    resync=resync,
                    since=since,
                    until=until,
                    locked=locked,
                    partition=partition,
                    start_now=start_now,
                    limit=limit if is_run else None,
                ),
            )
        if check:
            tap.check()
        elif preview is not None:
            tap.preview(preview, limit or _PREVIEW_ROWS)
        else:
            tap.run()


def _report_path(config: Any) -> Path | None:
    """Where a run with this configuration, which may be invalid, reports to."""
    return report_path_of(config.config)


def _load_json(path: str | None, error: type[ConfigurationError], what: str) -> Any:
    if path is None:
        return {}
    try:
        return read_json(path)
    except UNREADABLE as reason:
        raise error(
            f"The {what} file {path} cannot be read: {describe_read_error(reason)}. Nothing "
            f"was read from the server. Restore the file, or leave --{what} out to start without."
        ) from reason


def main() -> None:
    """Run the command line; exit codes are those of `errors`."""
    run_program(_run_command, TapMSSQLQuery.logger)


def _run_command() -> None:
    command = TapMSSQLQuery.cli  # it configures the log when it is made
    if events.are_wanted():
        events.send_log()
    command()
