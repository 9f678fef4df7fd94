"""QueryStream: singer-sdk's view of one sync.

The SDK keeps discovery, selection and stream maps; `sync/run.py` reads and writes the rows.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from singer_sdk.mapper import SameRecordTransform
from singer_sdk.streams import Stream

from tap_mssql_query.encoding.columns import (
    columns_of_description,
    find_name_problems,
    json_schema_of_records,
)
from tap_mssql_query.errors import ConfigurationError, Interrupted, QueryFailed
from tap_mssql_query.mapping import stream_maps_of
from tap_mssql_query.mssql.connect import server_time
from tap_mssql_query.mssql.describe import describe_result
from tap_mssql_query.selection import find_unknown_deselections
from tap_mssql_query.settings.stream_maps import find_doubtful_additions, find_unknown_removals
from tap_mssql_query.sql.template import SyncTimes
from tap_mssql_query.sync.query import query_of
from tap_mssql_query.sync.run import SyncRun
from tap_mssql_query.sync.run_errors import DATABASE_FAILED, describe_failure

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence

    import pyarrow as pa
    from singer_sdk import Tap
    from singer_sdk.mapper import StreamMap
    from singer_sdk.singerlib import CatalogEntry

    from tap_mssql_query.encoding.columns import Column
    from tap_mssql_query.encoding.row_encoder import LossyConversions
    from tap_mssql_query.selection import Selection
    from tap_mssql_query.settings.model import SyncSettings
    from tap_mssql_query.sync.context import Lines, RunContext

_UNDESCRIBED = "The sync could not be described: its columns are not known."
"""The description of such a sync's schema in a catalog; the SDK keeps no keyword of ours."""


class QueryStream(Stream):
    """The stream of one sync, and the `MessageFormat` of its run."""

    def __init__(
        self,
        tap: Tap,
        sync: SyncSettings,
        context: RunContext,
        selection: Selection | None = None,
    ) -> None:
        super().__init__(tap, name=sync.name)
        self._sync = sync
        self._context = context
        self._selection = selection
        self.primary_keys = sync.key_columns

    # Overrides of the SDK

    @property
    def schema(self) -> dict[str, Any]:
        """Schema of the running query's result; before a run, as the server describes it."""
        if self._schema is None:
            self._use_columns(self._describe())
        assert self._schema is not None  # noqa: S101 - set by _use_columns
        return self._schema

    @property
    def stream_maps(self) -> list[StreamMap]:
        """The user's stream maps, set up when the schema is known rather than at the start."""
        if not self._stream_maps:
            self._stream_maps = stream_maps_of(
                self._tap.mapper, self.name, self.schema, self.primary_keys
            )
        return self._stream_maps

    @property
    def has_catalog(self) -> bool:
        """Whether the user gave a catalog, which selects streams and columns."""
        return self._tap.input_catalog is not None

    @property
    def _input_entry(self) -> CatalogEntry | None:
        """The sync's entry in the user's catalog. A sync that it lacks runs as without one."""
        catalog = self._tap.input_catalog
        return catalog.get_stream(self.name) if catalog else None

    @property
    def selected(self) -> bool:
        """Whether the sync is enabled and the catalog, if there is one, selects it."""
        locked = self._context.options.locked
        if not self._sync.enabled or (locked and self.name not in locked):
            return False
        return self._input_entry is None or bool(self.mask.get((), True))

    @selected.setter
    def selected(self, value: bool | None) -> None:
        self.metadata.root.selected = value
        self._mask = self.metadata.resolve_selection()

    def _write_schema_message(self) -> None:
        """Nothing yet: the run writes SCHEMA when the result shows the real columns."""

    def _write_state_message(self) -> None:
        """Nothing: the run writes STATE when its bookmark moves."""

    def _sync_records(
        self,
        context: Mapping[str, Any] | None = None,  # noqa: ARG002 - the SDK's signature
        *,
        write_messages: bool = True,  # noqa: ARG002
    ) -> Generator[dict[str, Any], Any, Any]:
        """Run the sync. Records do not pass through the SDK, so none are yielded."""
        SyncRun(self._sync, self._context, self, self.logger).run()
        yield from ()

    def get_batch_config(self, config: Mapping[str, Any]) -> None:
        """None: BATCH files would bypass the target's acknowledgements."""

    def catalog_entry(self) -> CatalogEntry:
        """The entry of the sync in a catalog; without columns if it cannot be described.

        The failure is recorded, and fails nothing else.
        """
        known = self._context.connections.failure_of(self._sync.database)
        try:
            return self._singer_catalog_entry
        except Interrupted:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the other syncs are listed
            reason = DATABASE_FAILED if known else describe_failure(error)
            self.logger.error("sync=%s cannot be described: %s", self.name, reason)  # noqa: TRY400
            self._context.errors.add_failure(self.name, error)
        self._schema = {"type": "object", "properties": {}, "description": _UNDESCRIBED}
        return self._singer_catalog_entry

    def get_records(self, context: Mapping[str, Any] | None) -> Iterator[dict[str, Any]]:  # noqa: ARG002
        """None: the run writes rows itself, in batches."""
        return iter(())

    # MessageFormat

    @property
    def max_records(self) -> int | None:
        """The SDK's limit for a test of the connection."""
        return self.ABORT_AT_RECORD_COUNT

    def schema_messages(self, columns: Sequence[Column]) -> Iterator[Mapping[str, Any]]:
        """The SCHEMA messages of a result. Raises QueryFailed if it cannot become records."""
        self._use_columns(columns)
        self._refuse_unknown_selection()
        self._use_selection([column.name for column in columns])
        return (message.to_dict() for message in self._generate_schema_messages())

    def _refuse_unknown_selection(self) -> None:
        """Raise ConfigurationError if the catalog is of a time when the sync had no columns.

        Its rules for columns are not in it, so that excluded ones would be sent.
        """
        entry = self._input_entry
        if entry and entry.schema.description == _UNDESCRIBED:
            raise ConfigurationError(
                "The catalog does not have its columns, because the sync could not be described "
                "when the catalog was made. Run the discovery again (with Meltano: "
                "`meltano run --refresh-catalog …`)."
            )

    def _use_selection(self, columns: Sequence[str]) -> None:
        """Select columns as the user asks; warn of rules without effect.

        Raises ConfigurationError for a rule that should keep a column out, and cannot.
        """
        maps, keys = self.config.get("stream_maps"), self._sync.key_columns
        problems = list(find_unknown_removals(maps, self.name, columns))
        warnings = list(find_doubtful_additions(maps, self.name, columns))
        if self.has_catalog and self._selection:
            problems += self._selection.find_problems(self.name, columns, keys)
            warnings += self._selection.find_warnings(self.name, columns)
            for column, is_selected in self._selection.selected(self.name, columns, keys).items():
                self.mask["properties", column] = is_selected
        elif self._input_entry:
            problems += find_unknown_deselections(self._input_entry, columns)
        if problems:
            raise ConfigurationError(*problems)
        if warnings:
            self.logger.warning("sync=%s: %s", self.name, " ".join(warnings))

    def record_encoder(
        self, columns: Sequence[Column], conversions: LossyConversions
    ) -> Callable[[pa.RecordBatch], Iterable[Lines]]:
        """Encodes batches; record by record only where selection or stream maps change records."""
        from tap_mssql_query.encoding.batch_encoder import BatchEncoder  # noqa: PLC0415 - pyarrow
        from tap_mssql_query.encoding.record_encoder import RecordEncoder  # noqa: PLC0415 - pyarrow

        timezone = self._sync.timezone
        if self._keeps_records():
            return BatchEncoder(self.name, columns, timezone, conversions).encode
        return RecordEncoder(
            columns, timezone, conversions, self.schema, self.mask, self.stream_maps
        ).encode

    def _keeps_records(self) -> bool:
        """Whether no stream map, flattening or selection changes any record."""
        maps = self.stream_maps
        if len(maps) != 1 or type(maps[0]) is not SameRecordTransform:
            return False
        if self.config.get("flattening_enabled"):
            return False
        return not self.has_catalog or all(self.mask.values())

    # Columns

    def _describe(self) -> list[Column]:
        """The columns of the query, from the server, without running it."""
        sync = self._sync
        connections = self._context.connections
        if error := connections.failure_of(sync.database):
            raise error
        with contextlib.closing(connections.open(sync.database)) as session:
            query = query_of(sync, SyncTimes(0, server_time(session)))
            return columns_of_description(describe_result(session, query), sync.json_columns)

    def _use_columns(self, columns: Sequence[Column]) -> None:
        """Take the columns as the stream's schema. Raises QueryFailed if they cannot be."""
        names = [column.name for column in columns]
        problems = find_name_problems(names)
        problems += [
            f"Key column {key} is not in the result."
            for key in self._sync.key_columns
            if key not in names
        ]
        if problems:
            raise QueryFailed(" ".join(problems))
        self._schema = json_schema_of_records(columns)
