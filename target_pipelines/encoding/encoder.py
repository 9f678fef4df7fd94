"""Records → the exact bytes of calls: mapped, checked against the schema, with their messageIds."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jsonschema_rs import validator_for

from program_kit.exact_json import INVALID_JSON, decode_object, decode_plain, encode_json
from target_pipelines.api.call_fields import MESSAGE_ID_MAX_LENGTH
from target_pipelines.api.calls import EncodedCall, lines_of
from target_pipelines.api.ordering_key import ordering_key_of
from target_pipelines.encoding.batch_encoder import compile_batch_encoder
from target_pipelines.encoding.fallback import Fallback
from target_pipelines.encoding.mapping import BuildProblem, Mapper, MappingProblem
from target_pipelines.encoding.message_ids import MessageIds
from target_pipelines.encoding.validation import describe_violation, has_text_keys

if TYPE_CHECKING:
    from collections.abc import Mapping

    from target_pipelines.api.call_types import CallType, Json
    from target_pipelines.api.settings import TargetSettings
    from target_pipelines.encoding.batch_encoder import BatchEncoder, EncodedBlock
    from target_pipelines.singer.streams import Stream

_API_TYPE_WITH_EVENT = "track"
"""The only call of the API that has a field `event`."""
_BUILD_FAILED = "failed to build the call"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a record cannot become a call, and the call as far as it was built."""

    reason: str
    call: Json | None = None


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
    ) -> None:
        call_type = stream.call_type
        self._stream = stream
        self._plugin = f'Plugin "{stream.plugin}"'
        self._call_type = call_type
        self._null_values = settings.null_values
        self._call_max_bytes = call_max_bytes
        self._event_schemas = _schemas_by_event(call_type, event_schemas)
        self._mapper = Mapper(call_type, null_values=settings.null_values)
        self._is_valid = validator_for(dict(call_type.schema), validate_formats=True).is_valid
        self._ids = MessageIds(
            salt=settings.message_id_salt,
            stream=stream.name,
            call_type=call_type.name,
            last_sync_time=stream.last_sync_time,
            counts_repeats=call_type.is_event and not stream.keys,
        )
        self._batch_encoder: BatchEncoder | Fallback | None = None
        self._warned_of: set[str] = set()

    def encode(self, record: Json, epoch: int, line: bytes) -> Encoded:
        """Encode a record; `line` is its Singer message, `epoch` the one that it arrived in."""
        try:
            call = self._map(record)
        except MappingProblem as problem:
            return Rejection(str(problem))
        if call is None:
            return None
        try:
            return self._encode_call(call, epoch, line)
        except (TypeError, ValueError, RecursionError) as error:
            if self._call_type.build is None:
                raise
            name = type(error).__name__
            return Rejection(f"{self._plugin} built a call that is not JSON: {name}.")

    def encode_block(self, block: bytes, epoch: int) -> list[Encoded] | None:
        """The same as `encode` for each record of a block; None if it must be done one by one."""
        encoder = self._batch_encoder or self._compile_batch_encoder(block)
        encoded = encoder if isinstance(encoder, Fallback) else encoder.encode(block)
        if isinstance(encoded, Fallback):
            return None
        if encoded.fallbacks:
            return self._encode_rest(encoded, block, epoch)
        stream, call_type = self._stream.name, self._call_type.name
        bodies = self._ids.add_to_all(encoded.bodies)
        return [
            EncodedCall(body, stream, call_type, key, epoch, block, number)
            for body, key, number in zip(
                bodies, encoded.ordering_keys, range(len(bodies)), strict=True
            )
        ]

    def _encode_rest(self, encoded: EncodedBlock, block: bytes, epoch: int) -> list[Encoded]:
        """The calls of a block with fallbacks; in order, as repeats are counted in order."""
        calls: list[Encoded] = []
        for number, line in enumerate(lines_of(block)):
            if number in encoded.fallbacks:
                call = self.encode(decode_object(line)["record"], epoch, line)
            else:
                body, key = self._ids.add_to(encoded.bodies[number]), encoded.ordering_keys[number]
                call = self._make_call(body, key, epoch, line)
            calls.append(call)
        return calls

    def _compile_batch_encoder(self, block: bytes) -> BatchEncoder | Fallback:
        try:
            record = decode_object(block[: block.find(b"\n") + 1] or block)["record"]
        except (*INVALID_JSON, KeyError):
            return Fallback.NOT_DECODABLE
        if not isinstance(record, dict):
            return Fallback.NOT_DECODABLE
        self._batch_encoder = compile_batch_encoder(
            self._stream,
            record,
            null_values=self._null_values,
            events=self._event_schemas,
            call_max_bytes=self._call_max_bytes - MESSAGE_ID_MAX_LENGTH,
        )
        return self._batch_encoder

    def _encode_call(self, call: Json, epoch: int, line: bytes) -> EncodedCall | Rejection:
        body = encode_json(call)
        if self._call_type.build and not has_text_keys(call):
            raise ValueError("a key is not a string")
        plain = decode_plain(body)  # of types that the validators know
        if not self._is_valid(plain):
            reason = describe_violation(self._call_type.schema, plain)
            return Rejection(reason or "The call violates the schema of its type.", call)
        event_schema = self._event_schemas.get(str(call.get("event", "")))
        if event_schema and (reason := describe_violation(event_schema, plain)):
            return Rejection(f'As event "{call["event"]}": {reason}', call)
        if "messageId" not in call:
            body = self._ids.add_to(body)
        if len(body) > self._call_max_bytes:
            return Rejection(
                f"The call has {len(body)} bytes; the limit is {self._call_max_bytes}.", call
            )
        return self._make_call(body, ordering_key_of(call), epoch, line)

    def _make_call(self, body: bytes, key: str, epoch: int, line: bytes) -> EncodedCall:
        return EncodedCall(body, self._stream.name, self._call_type.name, key, epoch, line)

    def _map(self, record: Json) -> Json | None:
        try:
            call = self._mapper.map(record)
        except BuildProblem as problem:
            raise MappingProblem(f"{self._plugin} {_BUILD_FAILED}: {problem}.") from problem
        except MappingProblem:
            raise
        except Exception as error:  # `build` is a plugin's code
            name = type(error).__name__
            raise MappingProblem(f"{self._plugin} {_BUILD_FAILED}: {name}.") from error
        if self._mapper.unmapped != self._warned_of:
            self._warn_unmapped()
        return call

    def _warn_unmapped(self) -> None:
        new = sorted(self._mapper.unmapped - self._warned_of)
        logger.warning(
            "stream=%s: %s calls have no field for these columns, which are not sent: %s",
            self._stream.name,
            self._call_type.name,
            ", ".join(new),
        )
        self._warned_of.update(new)


def _schemas_by_event(
    call_type: CallType, event_schemas: Mapping[str, Mapping[str, Any]]
) -> Mapping[str, Mapping[str, Any]]:
    """A destination's schemas by event name, for calls that have one."""
    return event_schemas if call_type.api_type == _API_TYPE_WITH_EVENT else {}
