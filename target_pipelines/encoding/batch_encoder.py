"""Encodes the records of a block together: decoded, mapped, checked and encoded by native code.

Most columns are only passed on. They stay in the struct that the record was decoded into, and the
struct becomes the traits or properties of the call. The other columns are moved one by one, by the
same plan that the row encoder executes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jsonschema_rs import validator_for
from msgspec import NODEFAULT, UNSET, Raw, UnsetType

from program_kit.exact_json import INVALID_JSON, decode_json_lines, encode_json_lines
from target_pipelines.api.ordering_key import ordering_key_of
from target_pipelines.encoding.codegen import compile_row_function
from target_pipelines.encoding.column_paths import deleted_column_of, names_in
from target_pipelines.encoding.event_keys import key_finder
from target_pipelines.encoding.fallback import Fallback, find_plan_fallback, find_stream_fallback
from target_pipelines.encoding.mapping import MappingProblem, compile_plan, in_one_order
from target_pipelines.encoding.row_struct import MOVED, SCALAR, RowStruct, raw_field

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from target_pipelines.api.call_types import CallType, Json
    from target_pipelines.api.settings import NullValues
    from target_pipelines.encoding.codegen import RowFunction
    from target_pipelines.encoding.mapping import Step
    from target_pipelines.encoding.message_ids import EventSource
    from target_pipelines.singer.streams import Stream

_COMPACT_HEAD = b'{"type":"RECORD","stream":"'
_PYTHON_TYPES: Mapping[str, Any] = {"string": str, "integer": int, "boolean": bool}
_JSON_TYPES = {str: "string", int: "integer", bool: "boolean"}


@dataclass(frozen=True, slots=True)
class EncodedBlock:
    """The records of a block, in order.

    Attributes:
        bodies: the JSON of each call, without a messageId.
        ordering_keys: of each call.
        event_sources: what the messageId of each event is made of; empty for facts.
        fallbacks: by position, the records whose body and key are void.
    """

    bodies: Sequence[bytes]
    ordering_keys: Sequence[str]
    event_sources: Sequence[EventSource]
    fallbacks: Mapping[int, Fallback]


class BatchEncoder:
    """Encodes the records of one stream that have the same columns.

    `call_max_bytes` is the limit of a call without its messageId.
    """

    def __init__(
        self,
        call_type: CallType,
        row_struct: RowStruct,
        map_row: RowFunction,
        *,
        key_columns: Sequence[str],
        call_max_bytes: int,
    ) -> None:
        self._is_event = call_type.is_event
        self._find_keys = key_finder(row_struct, key_columns) if self._is_event else None
        self._has_raw = any(field.type is Raw for field in row_struct.fields.values())
        self._decode = row_struct.decode
        self._map_row = map_row
        self._container = call_type.extra_columns
        self._call_max_bytes = call_max_bytes
        schema = dict(call_type.schema)
        array = {"type": "array", "items": {"type": "object", "allOf": [schema]}}
        self._is_valid = validator_for(schema, validate_formats=True).is_valid
        self._are_valid = validator_for(array, validate_formats=True).is_valid

    def encode(self, block: bytes) -> EncodedBlock | Fallback:
        """Encode the RECORDs of a block, as far as no fallback applies."""
        try:
            rows = self._decode(_as_encoded(block) if self._has_raw else block)
            event_keys = self._find_keys(rows) if self._find_keys else None
        except INVALID_JSON:
            return Fallback.NOT_DECODABLE
        calls: list[Any] = list(map(self._map_row, rows))
        fallbacks = self._find_fallbacks(calls)
        for position in fallbacks:
            calls[position] = {}
        keys = list(map(ordering_key_of, calls))
        sources = self._event_sources(calls, event_keys)
        container = self._container
        for call, row in zip(calls, rows, strict=True):
            if container in call:
                call[container] = row
        bodies = encode_json_lines(calls).split(b"\n")[:-1]
        if max(map(len, bodies), default=0) > self._call_max_bytes:
            fallbacks |= self._find_too_large(bodies)
        return EncodedBlock(bodies, keys, sources, fallbacks)

    def _event_sources(
        self, calls: Sequence[Json], keys: Sequence[bytes | None] | None
    ) -> Sequence[EventSource]:
        """Keys, and for events without one whether they have a `timestamp`."""
        if not self._is_event:
            return ()
        if keys is None:
            return ["timestamp" in call for call in calls]
        if None not in keys:
            return keys  # type: ignore[return-value]  # none of them is None
        return [
            "timestamp" in call if key is None else key
            for call, key in zip(calls, keys, strict=True)
        ]

    def _find_fallbacks(self, calls: Sequence[Json | Fallback]) -> dict[int, Fallback]:
        if self._are_valid(calls):  # a fallback is not an object
            return {}
        fallbacks = {}
        for position, call in enumerate(calls):
            if isinstance(call, Fallback):
                fallbacks[position] = call
            elif not self._is_valid(call):
                fallbacks[position] = Fallback.INVALID_CALL
        return fallbacks

    def _find_too_large(self, bodies: Sequence[bytes]) -> dict[int, Fallback]:
        limit = self._call_max_bytes
        return {
            position: Fallback.TOO_LARGE
            for position, body in enumerate(bodies)
            if len(body) > limit
        }


def _as_encoded(block: bytes) -> bytes:
    """The lines as this program would write them, so that values keep their text."""
    if block.startswith(_COMPACT_HEAD) and not (
        b"\\" in block and (b"\\u" in block or b"\\/" in block)  # one byte is found fastest
    ):
        return block
    return encode_json_lines(decode_json_lines(block))


def compile_batch_encoder(
    stream: Stream,
    first_record: Json,
    *,
    null_values: NullValues,
    events: Collection[str],
    call_max_bytes: int,
) -> BatchEncoder | Fallback:
    """The batch encoder for records like this one of a stream.

    Args:
        stream: the records' stream.
        first_record: tells the columns, where the SCHEMA does not.
        null_values: what becomes of NULL, as the settings say.
        events: names of track events for which the destination has a schema.
        call_max_bytes: what the destination accepts, without a messageId.
    """
    call_type, container = stream.call_type, stream.call_type.extra_columns or ""
    if fallback := find_stream_fallback(call_type):
        return fallback
    types = _column_types(stream, first_record)
    if not stream.has_keys(types):  # its struct would not ask for them
        return Fallback.MISSING_KEY
    if deleted_column_of(types):
        return Fallback.DELETED
    ordered = in_one_order([*types], stream.columns)
    described = [column for column in stream.columns if column in types]
    if described != [column for column in ordered if column in stream.columns]:
        return Fallback.COLUMN_ORDER
    types = {column: types[column] for column in ordered}
    try:
        plan = compile_plan(tuple(types), call_type, null_values=null_values)
    except MappingProblem:
        return Fallback.COLUMN_CONFLICT
    if fallback := find_plan_fallback(plan, container):
        return fallback
    checked = set(_names_inside(call_type.schema, container))
    kept = {step.column: step for step in plan.nested[-1].steps}
    row_struct = RowStruct(
        {
            column: _kept_field(
                kept[column],
                _PYTHON_TYPES.get(kind, SCALAR if column in checked else Raw),
                is_key=column in stream.keys,
            )
            if column in kept
            else MOVED
            for column, kind in types.items()
        },
        stream=stream.name,
    )
    map_row = compile_row_function(
        plan, row_struct, container=container, checked=checked, events=events
    )
    return BatchEncoder(
        call_type,
        row_struct,
        map_row,
        key_columns=stream.key_columns,
        call_max_bytes=call_max_bytes,
    )


def _column_types(stream: Stream, record: Json) -> Mapping[str, str]:
    """JSON types by column: the SCHEMA's if the record has its columns in that order."""
    if list(record) == [column for column in stream.columns if column in record]:
        return stream.columns
    return {column: _JSON_TYPES.get(type(value), "") for column, value in record.items()}


def _kept_field(step: Step, python_type: Any, *, is_key: bool) -> tuple[Any, Any]:
    """Type and default of a column that stays in the row."""
    if python_type is Raw:
        return raw_field(is_key=is_key, keeps_null=step.keeps_null)
    if step.keeps_null:
        return python_type | None | UnsetType, NODEFAULT if is_key else UNSET
    return (python_type, NODEFAULT) if is_key else (python_type | None, None)


def _names_inside(schema: Mapping[str, Any], container: str) -> Iterator[str]:
    """All names of the container's members that a schema mentions, at any depth."""
    yield from names_in(schema.get("properties", {}).get(container))
    for branch in (*schema.get("anyOf", ()), *schema.get("allOf", ())):
        yield from _names_inside(branch, container)
