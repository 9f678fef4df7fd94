"""What a SCHEMA says of its stream: which call its rows are, and what belongs to their ids."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from target_pipelines.api.call_types import CallType
from target_pipelines.api.errors import ConfigurationError, RecordWithoutKey, RecordWithoutSchema

if TYPE_CHECKING:
    from collections.abc import Mapping

    from target_pipelines.plugins.loading import PluginRegistry

ALIAS = "alias"
_SCALARS = frozenset({"string", "number", "integer", "boolean"})
_LEFT_OUT = CallType(
    name="none",
    sends_as="track",
    summary="left out by `call_types`",
    schema={},
    build=lambda _: None,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """A stream, as its newest SCHEMA describes it.

    Attributes:
        name: as its messages say.
        call_type: what its rows become.
        plugin: who offers that call type.
        is_left_out: whether its rows become no calls, because the settings say so.
        keys: columns that each record must have.
        last_sync_time: the bookmark that its query was rendered with; part of messageIds.
        sync_time: the start of the run that reads it; part of messageIds.
        moves_bookmark: whether its tap moves its bookmark once all rows are read: a tap that says
            when its run started does.
        is_limited: whether its tap was asked for its first rows alone; its bookmark stays.
        is_backfill: whether its tap was asked for a window of time; its bookmark stays, and no
            other run reads these rows.
        partition: the number of the partition that is read; part of messageIds.
        first_position: the position of the first record, in a read that is resumed.
        renamed_from: the stream's former name, which its messageIds keep.
        columns: JSON type by name, null aside; empty where there are several.
    """

    name: str
    call_type: CallType
    plugin: str
    is_left_out: bool = False
    keys: frozenset[str] = frozenset()
    last_sync_time: Any = None
    sync_time: Any = None
    moves_bookmark: bool = False
    is_limited: bool = False
    is_backfill: bool = False
    partition: Any = None
    first_position: int = 0
    renamed_from: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)

    @property
    def id_name(self) -> str:
        """The name that is part of messageIds."""
        return self.renamed_from or self.name

    @property
    def read(self) -> tuple[Any, ...]:
        """What differs between two reads of it: runs, partitions, or a read and its resumption."""
        return self.sync_time, self.partition, self.first_position

    @property
    def is_alias(self) -> bool:
        """Whether its calls may have a `previousId`, which makes them calls about two persons."""
        return self.call_type.api_type == ALIAS

    @property
    def is_flat(self) -> bool:
        """Whether its SCHEMA describes columns, and none of them as an object or array."""
        return bool(self.columns) and _SCALARS.issuperset(self.columns.values())

    @property
    def key_columns(self) -> list[str]:
        """The key columns, in an order that does not depend on the SCHEMA."""
        return sorted(self.keys)

    def has_keys(self, record: Mapping[str, Any]) -> bool:
        """Whether a record, or whatever has its columns, has all key columns."""
        return self.keys <= record.keys()


def check_record(stream: Stream | None, message: Mapping[str, Any], line_number: int) -> Stream:
    """The stream of a RECORD. Raises RecordWithoutSchema or RecordWithoutKey."""
    name, record = message["stream"], message["record"]
    if stream is None:
        raise RecordWithoutSchema(
            f'Line {line_number} of the input is a RECORD of stream "{name}", which has no '
            "SCHEMA yet. Correct the tap."
        )
    if not stream.has_keys(record):
        missing = ", ".join(sorted(stream.keys - record.keys()))
        raise RecordWithoutKey(
            f'Line {line_number} of the input, a RECORD of stream "{name}", lacks its key: '
            f"{missing}. Correct the tap."
        )
    return stream


def parse_schema(
    message: Mapping[str, Any],
    plugins: PluginRegistry,
    call_types: Mapping[str, str | None],
    *,
    started_at: float | None = None,
) -> Stream:
    """The stream of a SCHEMA. Raises ConfigurationError.

    Args:
        message: the SCHEMA.
        plugins: the call types.
        call_types: call types by stream, which override the SCHEMA's.
        started_at: when this run of the target began, for a tap that does not say when its own did.
    """
    name = message["stream"]
    # tap-mssql-query puts its keywords inside `schema`; other taps may put them beside it.
    keywords = {**message, **message["schema"]}
    is_left_out = name in call_types and call_types[name] is None
    wanted = call_types.get(name) or keywords.get("x-call-type")
    call_type = _LEFT_OUT if is_left_out else _find_call_type(name, wanted, plugins)
    return Stream(
        name=name,
        call_type=call_type,
        plugin="" if is_left_out else plugins.call_types.plugin_of(call_type.name),
        is_left_out=is_left_out,
        keys=frozenset(message.get("key_properties") or ()),
        last_sync_time=keywords.get("x-last-sync-time"),
        sync_time=keywords.get("x-sync-time", started_at),
        moves_bookmark="x-sync-time" in keywords,
        is_limited="x-limit" in keywords,
        is_backfill=keywords.get("x-backfill") is True,
        partition=keywords.get("x-partition"),
        first_position=_natural_number(keywords.get("x-position")),
        renamed_from=_text(keywords.get("x-renamed-from")),
        columns={
            column: _type_of(schema)
            for column, schema in message["schema"].get("properties", {}).items()
        },
    )


def origin_of(stream: Stream, repeat: int) -> dict[str, Any]:
    """What a dead letter keeps of its record's stream, so that a replay gives the same messageId.

    `repeat` is how many equal events came before the record.
    """
    parts = {
        "x-sync-time": stream.sync_time,
        "x-partition": stream.partition,
        "x-renamed-from": stream.renamed_from,
        "repeat": repeat,
    }
    return {name: value for name, value in parts.items() if value is not None}


def _natural_number(value: object) -> int:
    return value if type(value) is int and value > 0 else 0


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _type_of(schema: Any) -> str:
    types = schema.get("type") if isinstance(schema, dict) else None
    several = types if isinstance(types, list) else [types]
    plain = [each for each in several if each != "null"]
    return plain[0] if len(plain) == 1 and isinstance(plain[0], str) else ""


def _find_call_type(stream: str, name: object, plugins: PluginRegistry) -> CallType:
    known = ", ".join(plugins.call_types.names())
    if name is None:
        raise ConfigurationError(
            f'Stream "{stream}" has no call type. Set one in `call_types`; known are {known}.'
        )
    if not isinstance(name, str) or name not in plugins.call_types:
        raise ConfigurationError(
            f'Stream "{stream}" has the call type "{name}", which no plugin offers. Known are '
            f"{known}."
        )
    return plugins.call_types[name]
