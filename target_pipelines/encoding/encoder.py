"""Records → the exact bytes of calls: mapped, checked against the schema, with their messageIds."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from program_kit.exact_json import INVALID_JSON, decode_object, decode_plain, encode_json
from target_pipelines.api.call_fields import MESSAGE_ID_MAX_LENGTH
from target_pipelines.api.calls import EncodedCall, lines_of
from target_pipelines.api.ordering_key import ordering_key_of
from target_pipelines.api.plugin_errors import describe_exception
from target_pipelines.encoding.batch_encoder import compile_batch_encoder
from target_pipelines.encoding.call_limits import with_limits
from target_pipelines.encoding.column_paths import deleted_column_of, names_in
from target_pipelines.encoding.fallback import Fallback
from target_pipelines.encoding.mapping import BuildProblem, Mapper, MappingProblem
from target_pipelines.encoding.message_ids import EventIds, FactIds, Repeats, encode_key
from target_pipelines.encoding.validation import CallValidator, has_text_keys
from target_pipelines.singer.positions import FROM_ZERO

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from target_pipelines.api.call_types import CallType, Json
    from target_pipelines.api.remedies import Kind
    from target_pipelines.api.settings import TargetSettings
    from target_pipelines.encoding.batch_encoder import BatchEncoder, EncodedBlock
    from target_pipelines.singer.streams import Stream

_API_TYPE_WITH_EVENT = "track"
"""The only call of the API that has a field `event`."""
_NAMES_OF_CALLS = ("type", "traits", "properties")
_BUILD_FAILED = "failed to build the call"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a record cannot become a call, and the call as far as it was built."""

    reason: str
    call: Json | None = None
    kind: Kind = "query"


Encoded = EncodedCall | Rejection | None
"""A record's call; why it has none; or None, if the call type filters it out."""


class StreamEncoder:
    """Encodes the records of one stream."""

    def __init__(
        self,
        stream: Stream,
        *,
        settings: TargetSettings,
        call_max_bytes: int,
        event_schemas: Mapping[str, Mapping[str, Any]],
        call_schema: Mapping[str, Any] | None = None,
        repeats: Repeats | None = None,
    ) -> None:
        """Compile what the records of a stream need.

        Args:
            stream: the stream.
            settings: the destination's.
            call_max_bytes: what the destination accepts.
            event_schemas: the destination's schemas of events, by name.
            call_schema: what the destination requires of every call.
            repeats: the equal events of this run that came before a further SCHEMA.
        """
        call_type = with_limits(stream.call_type, call_schema or {})
        stream = replace(stream, call_type=call_type)
        self._stream = stream
        self._plugin = f'Plugin "{stream.plugin}"'
        self._call_type = call_type
        self._null_values = settings.null_values_of(stream.name)
        self._call_max_bytes = call_max_bytes
        is_set = settings.call_max_bytes or settings.batch_max_bytes
        self._kind_of_size: Kind = "settings" if is_set else "query"
        self._event_validators = _validators_by_event(call_type, event_schemas)
        self._json_columns = settings.json_columns.get(stream.name, ())
        self._mapper = Mapper(
            call_type,
            null_values=self._null_values,
            described=stream.columns,
            json_columns=self._json_columns,
        )
        self._validator = CallValidator(call_type.schema)
        self._key_columns = stream.key_columns
        salt = settings.message_id_salt
        self._event_ids = EventIds(stream, salt, Repeats() if repeats is None else repeats)
        self._fact_ids = None if call_type.is_event else FactIds(stream, salt)
        self._rejected = Repeats()
        self._batch_encoder: BatchEncoder | Fallback | None = None
        self._warned_of: set[str] = set()

    def is_resumed_by(self, stream: Stream) -> bool:
        """Whether a SCHEMA resumes the read, so that its last records come again."""
        return stream.first_position not in (0, self._stream.first_position)

    def count_rejected(self, record: Json) -> int:
        """How many equal records were rejected before this one; 0 for facts."""
        return 0 if self._fact_ids else self._rejected.count(encode_json(record))

    def encode(
        self,
        record: Json,
        epoch: int,
        line: bytes,
        position: int = 0,
        repeat: int | None = None,
    ) -> Encoded:
        """Encode a record.

        Args:
            record: the record.
            epoch: the one that it arrived in.
            line: its Singer message.
            position: in its stream.
            repeat: how many equal events came before it, if that is known.
        """
        if self._stream.is_left_out or self._is_deleted(record):
            return None
        event_key = None if self._fact_ids else encode_key(record, self._key_columns)
        columns = tuple(record)
        try:
            call = self._map(record)  # may change the record
        except MappingProblem as problem:
            return Rejection(str(problem), kind=problem.kind)
        if call is None:
            return None
        try:
            body = self._encode_call(call, columns)
            if isinstance(body, Rejection):
                return body
            if "messageId" not in call:
                body = self._add_id(body, call, event_key, position, repeat)
            return self._check_size(body, call) or self._make_call(
                body, ordering_key_of(call), epoch, line, position
            )
        except (TypeError, ValueError, RecursionError) as error:
            if self._call_type.build is None:
                raise
            name = type(error).__name__
            reason = f"{self._plugin} built a call that is not JSON: {name}."
            return Rejection(reason, kind="settings")

    def encode_block(
        self, block: bytes, epoch: int, positions: Sequence[int] = FROM_ZERO
    ) -> list[Encoded] | None:
        """The same as `encode` for each record of a block; None if it must be done one by one."""
        if self._stream.is_left_out:
            return [None] * len(lines_of(block))
        encoder = self._batch_encoder or self._compile_batch_encoder(block)
        encoded = encoder if isinstance(encoder, Fallback) else encoder.encode(block)
        if isinstance(encoded, Fallback):
            return None
        if encoded.fallbacks:
            return self._encode_rest(encoded, block, epoch, positions)
        stream, call_type = self._stream.name, self._call_type.name
        bodies = (
            self._fact_ids.add_to_all(encoded.bodies, positions)
            if self._fact_ids
            else self._event_ids.add_to_all(encoded.bodies, encoded.event_sources)
        )
        return [
            EncodedCall(body, stream, call_type, key, epoch, block, number, position)
            for number, (body, key, position) in enumerate(
                zip(bodies, encoded.ordering_keys, positions, strict=False)
            )
        ]

    def _encode_rest(
        self, encoded: EncodedBlock, block: bytes, epoch: int, positions: Sequence[int]
    ) -> list[Encoded] | None:
        """The calls of a block with fallbacks; in order, as repeats are counted in order.

        None if a record lacks its key.
        """
        calls: list[Encoded] = []
        lines = list(lines_of(block))
        records = {number: decode_object(lines[number])["record"] for number in encoded.fallbacks}
        if not all(map(self._stream.has_keys, records.values())):
            return None
        for number, line in enumerate(lines):
            if number in records:
                call = self.encode(records[number], epoch, line, positions[number])
            else:
                body = encoded.bodies[number]
                body = (
                    self._fact_ids.add_to(body, positions[number])
                    if self._fact_ids
                    else self._event_ids.add_to(body, encoded.event_sources[number])
                )
                key = encoded.ordering_keys[number]
                call = self._make_call(body, key, epoch, line, positions[number])
            calls.append(call)
        return calls

    def _compile_batch_encoder(self, block: bytes) -> BatchEncoder | Fallback:
        try:
            record = decode_object(block[: block.find(b"\n") + 1] or block)["record"]
        except (*INVALID_JSON, KeyError):
            return Fallback.NOT_DECODABLE
        if not isinstance(record, dict):
            return Fallback.NOT_DECODABLE
        if self._json_columns:
            return Fallback.JSON_COLUMNS
        self._batch_encoder = compile_batch_encoder(
            self._stream,
            record,
            null_values=self._null_values,
            events=self._event_validators,
            call_max_bytes=self._call_max_bytes - MESSAGE_ID_MAX_LENGTH,
        )
        return self._batch_encoder

    def _is_deleted(self, record: Json) -> bool:
        """Whether the source says that a row is gone, which no call can express."""
        column = deleted_column_of(record)
        if column is None or record[column] is None:
            return False
        if column not in self._warned_of:
            self._warned_of.add(column)
            logger.warning(
                "stream=%s: rows with a `%s` were deleted at the source; they are not sent.",
                self._stream.name,
                column,
            )
        return True

    def _encode_call(self, call: Json, columns: Sequence[str]) -> bytes | Rejection:
        """The call's JSON, without a messageId unless it has its own; or why it is invalid."""
        body = encode_json(call)
        if self._call_type.build and not has_text_keys(call):
            raise ValueError("a key is not a string")
        plain = decode_plain(body)  # of types that the validators know
        if not self._validator.is_valid(plain):
            return Rejection(self._validator.describe_violation(plain, columns), call)
        event_validator = self._event_validators.get(str(call.get("event", "")))
        if event_validator and not event_validator.is_valid(plain):
            reason = event_validator.describe_violation(plain, columns)
            return Rejection(f'As event "{call["event"]}": {reason}', call)
        return body

    def _add_id(
        self, body: bytes, call: Json, event_key: bytes | None, position: int, repeat: int | None
    ) -> bytes:
        if self._fact_ids:
            return self._fact_ids.add_to(body, position)
        source = call.get("timestamp") is not None if event_key is None else event_key
        return self._event_ids.add_to(body, source, repeat)

    def _check_size(self, body: bytes, call: Json) -> Rejection | None:
        if len(body) <= self._call_max_bytes:
            return None
        reason = f"The call is larger than {self._call_max_bytes} bytes, which is the limit."
        return Rejection(reason, call, self._kind_of_size)

    def _make_call(
        self, body: bytes, key: str, epoch: int, line: bytes, position: int
    ) -> EncodedCall:
        stream, call_type = self._stream.name, self._call_type.name
        return EncodedCall(body, stream, call_type, key, epoch, line, 0, position)

    def _map(self, record: Json) -> Json | None:
        try:
            call = self._mapper.map(record)
        except BuildProblem as problem:
            raise BuildProblem(f"{self._plugin} {_BUILD_FAILED}: {problem}.") from problem
        except MappingProblem:
            raise
        except BaseException as error:  # `build` is a plugin's code, which may even call `exit`
            raise BuildProblem(self._describe_build_error(error, record)) from error
        if not self._mapper.unmapped <= self._warned_of:
            self._warn_unmapped()
        return call

    def _describe_build_error(self, error: BaseException, record: Json) -> str:
        """Which exception, where; a missing key only if it is the name of a column or a field."""
        build = self._call_type.build
        names = {*record, *names_in(self._call_type.schema), *_NAMES_OF_CALLS}
        return f"{self._plugin} {_BUILD_FAILED}: {describe_exception(error, build, names)}."

    def _warn_unmapped(self) -> None:
        new = sorted(self._mapper.unmapped - self._warned_of)
        logger.warning(
            "stream=%s: %s calls have no field for these columns, which are not sent: %s",
            self._stream.name,
            self._call_type.name,
            ", ".join(new),
        )
        self._warned_of.update(new)


def _validators_by_event(
    call_type: CallType, event_schemas: Mapping[str, Mapping[str, Any]]
) -> Mapping[str, CallValidator]:
    """A destination's schemas by event name, for calls that have one."""
    if call_type.api_type != _API_TYPE_WITH_EVENT:
        return {}
    return {event: CallValidator(schema) for event, schema in event_schemas.items()}
