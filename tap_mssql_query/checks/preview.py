"""--preview: the first rows of one sync, as a run would send them. No state changes."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import msgspec

from tap_mssql_query.encoding.arrow_columns import columns_of_arrow_schema
from tap_mssql_query.encoding.columns import find_name_problems
from tap_mssql_query.encoding.row_encoder import LossyConversions, records_of
from tap_mssql_query.encoding.singer_json import dump_message
from tap_mssql_query.errors import ConfigurationError, QueryFailed
from tap_mssql_query.mssql.connect import connect, server_time
from tap_mssql_query.mssql.describe import describe_result
from tap_mssql_query.sync.query import query_of
from tap_mssql_query.sync.window import find_window

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa

    from tap_mssql_query.mssql.session import Session
    from tap_mssql_query.settings.model import SyncSettings, TapSettings
    from tap_mssql_query.sql.select_only import SelectQuery
    from tap_mssql_query.sync.run_options import RunOptions

_decode_record = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


@dataclass(frozen=True, slots=True)
class Preview:
    """Some rows: the name and type of each column, and the values as text, None for NULL."""

    columns: Sequence[tuple[str, str]]
    rows: Sequence[Sequence[str | None]]


def find_sync(name: str, syncs: Sequence[SyncSettings]) -> SyncSettings:
    """The sync of that name, even if disabled. Raises ConfigurationError."""
    for sync in syncs:
        if sync.name == name:
            return sync
    known = ", ".join(sync.name for sync in syncs)
    raise ConfigurationError(f'--preview: there is no sync "{name}". Known syncs: {known}.')


def read_preview(
    sync: SyncSettings,
    settings: TapSettings,
    options: RunOptions,
    state: Mapping[str, Any],
    *,
    limit: int,
) -> Preview:
    """The first rows that a run would read now, even if the sync is not due.

    Raises:
        ServerError: the server is unreachable, or the query fails.
        StateError: the bookmark cannot be used.
    """
    always_due = replace(sync, frequency_seconds=None, start_at=None)
    with contextlib.closing(connect(sync.database, settings)) as session:
        times = find_window(always_due, options, state, now=server_time(session))
        assert times is not None  # noqa: S101 - None only if the sync is not due
        query = query_of(sync, times)
        types = _describe_types(session, query)
        blocks = session.read(query, limit=limit)
        return _preview_of(blocks, sync, types, limit)


def _preview_of(
    blocks: Iterator[pa.RecordBatch], sync: SyncSettings, types: Sequence[str], limit: int
) -> Preview:
    columns = columns_of_arrow_schema(next(blocks).schema, sync.json_columns)
    if problems := find_name_problems(column.name for column in columns):
        raise QueryFailed(" ".join(problems))
    rows: list[list[str | None]] = []
    for block in blocks:
        wanted = block.slice(0, limit - len(rows))
        records = records_of(wanted, columns, sync.timezone, LossyConversions())
        rows += (_texts_of(record) for record in records)
    shown_types = types or [column.kind.name.lower() for column in columns]
    names = [column.name for column in columns]
    return Preview(list(zip(names, shown_types, strict=True)), rows)


def _describe_types(session: Session, query: SelectQuery) -> list[str]:
    """SQL Server's types of the columns; empty if they are unknown before a run."""
    try:
        return [column.sql_type for column in describe_result(session, query)]
    except QueryFailed:
        return []


def _texts_of(record: Mapping[str, Any]) -> list[str | None]:
    """The values as in a RECORD: JSON, but strings without quotes."""
    return [_text_of(bytes(value)) for value in _decode_record(dump_message(record)).values()]


def _text_of(value: bytes) -> str | None:
    decoded = msgspec.json.decode(value) if value[:1] in b'"n' else value.decode()
    return None if decoded is None else str(decoded)
