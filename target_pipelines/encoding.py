"""Records → the exact bytes of calls: mapped, checked against the schema, with their messageId."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
from jsonschema import Draft202012Validator
from jsonschema.exceptions import relevance
from jsonschema_rs import validator_for

from tap_mssql_query.settings_schema import complaint_of
from target_pipelines.batching import EncodedCall
from target_pipelines.json_numbers import decode_json, encode_json
from target_pipelines.mapping import BuildProblem, Mapper, MappingProblem
from target_pipelines.message_ids import MessageIds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jsonschema import ValidationError

    from target_pipelines.call_types import Json
    from target_pipelines.settings import TargetSettings
    from target_pipelines.streams import Stream

_PERSON_FIELDS = ("userId", "anonymousId", "groupId")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a record will never be a call, and the call as far as it was made."""

    reason: str
    call: Json | None = None


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
        self._stream = stream.name
        self._call_type = call_type
        self._blame = f'Plugin "{stream.plugin}"'
        self._call_max_bytes = call_max_bytes
        self._mapper = Mapper(call_type, null_values=settings.null_values)
        self._event_schemas = event_schemas if call_type.wire_name == "track" else {}
        self._is_valid = validator_for(dict(call_type.schema), validate_formats=True).is_valid
        self._ids = MessageIds(
            salt=settings.message_id_salt,
            stream=stream.name,
            call_type=call_type.name,
            last_sync_time=stream.last_sync_time,
            counts_repeats=call_type.is_event and not stream.keys,
        )
        self._said_unplaced: set[str] = set()

    def encode(self, record: Json, epoch: int, line: bytes) -> EncodedCall | Rejection | None:
        """The call of a record, which came on a line in an epoch; None if it is filtered out."""
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
            return Rejection(f"{self._blame} built a call that is no JSON: {type(error).__name__}.")

    def _encode_call(self, call: Json, epoch: int, line: bytes) -> EncodedCall | Rejection:
        if not self._is_valid(call):
            reason = find_reason(self._call_type.schema, call)
            return Rejection(reason or "The call breaks the schema of its type.", call)
        event_schema = self._event_schemas.get(str(call.get("event", "")))
        if event_schema and (reason := find_reason(event_schema, call)):
            return Rejection(f'As event "{call["event"]}": {reason}', call)
        body = self._add_message_id(call)
        if len(body) > self._call_max_bytes:
            return Rejection(
                f"The call is {len(body)} bytes; {self._call_max_bytes} are allowed.", call
            )
        return EncodedCall(body, self._stream, self._call_type.name, person_of(call), epoch, line)

    def _map(self, record: Json) -> Json | None:
        try:
            call = self._mapper.map(record)
        except BuildProblem as problem:
            raise MappingProblem(f"{self._blame} failed to build the call: {problem}.") from problem
        except MappingProblem:
            raise
        except Exception as error:  # a plugin's `build` is a stranger's code
            raise MappingProblem(
                f"{self._blame} failed to build the call: {type(error).__name__}."
            ) from error
        if self._mapper.unplaced != self._said_unplaced:
            self._say_unplaced()
        return call

    def _say_unplaced(self) -> None:
        new = sorted(self._mapper.unplaced - self._said_unplaced)
        logger.warning(
            "stream=%s: %s calls have no place for these columns, which are not sent: %s",
            self._stream,
            self._call_type.name,
            ", ".join(new),
        )
        self._said_unplaced.update(new)

    def _add_message_id(self, call: Json) -> bytes:
        body = encode_json(call)
        if "messageId" in call:
            return body
        return b'{"messageId":"%b",%b' % (self._ids.next_id(body).encode(), body[1:])


def find_reason(schema: Mapping[str, Any], call: Json) -> str:
    """What breaks the schema, in words without values; empty if nothing does."""
    validator = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    error = max(validator.iter_errors(_with_floats(call)), key=relevance, default=None)
    return f"{_place_of(error)} {complaint_of(error)}." if error else ""


def encode_letter(letter: Json, epoch: int) -> EncodedCall:
    """The call of a dead letter, as it was sent the first time."""
    call, line = letter["call"], encode_json({"record": letter["record"]})
    body = encode_json(call)
    return EncodedCall(body, letter["stream"], letter["call_type"], person_of(call), epoch, line)


def decode_call(call: EncodedCall) -> tuple[Json, Json | None]:
    """A call and its record, numbers with their digits."""
    record = decode_json(call.line)["record"] if call.line else None
    return decode_json(call.body), record


def person_of(call: Mapping[str, Any]) -> str:
    """Whom a call is about; calls about the same keep their order."""
    for field in _PERSON_FIELDS:
        if (value := call.get(field)) is not None:
            return str(value)
    traits = call.get("traits")
    return str(traits.get("email", "")) if isinstance(traits, dict) else ""


def _place_of(error: ValidationError) -> str:
    path = ".".join(map(str, error.absolute_path))
    return f"Field `{path}`" if path else "The call"


def _with_floats(value: Any) -> Any:
    """The call with plain JSON types, which jsonschema knows."""
    return msgspec.json.decode(encode_json(value))
