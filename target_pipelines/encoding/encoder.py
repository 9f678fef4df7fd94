"""Records → the exact bytes of calls: mapped, checked against the schema, with their messageId."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import partial
from itertools import compress
from typing import TYPE_CHECKING, Any

from jsonschema_rs import validator_for

from program_kit.exact_json import (
    INVALID_JSON,
    decode_object,
    decode_plain,
    encode_json,
)
from program_kit.json_schema import describe_schema_error
from target_pipelines.api.call_types import person_of
from target_pipelines.api.calls import EncodedCall, lines_of
from target_pipelines.encoding.batch_encoder import BlockPlan, compile_block_plan
from target_pipelines.encoding.mapping import BuildProblem, Mapper, MappingProblem
from target_pipelines.encoding.message_ids import MessageIds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jsonschema import ValidationError

    from target_pipelines.api.call_types import Json
    from target_pipelines.api.settings import TargetSettings
    from target_pipelines.singer.streams import Stream

_JSON_TYPES = {str: "string", int: "integer", bool: "boolean"}
_ID_MAX_BYTES = 100

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a record will never be a call, and the call as far as it was made."""

    reason: str
    call: Json | None = None


Encoded = EncodedCall | Rejection | None
"""A record's call; why it will never be one; or nothing, if it is filtered out."""


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
        self._compile_block_plan = partial(
            compile_block_plan,
            call_type,
            stream=stream.name,
            keys=stream.keys,
            null_values=settings.null_values,
            events=self._event_schemas,
        )
        self._columns = stream.columns
        self._block_plan: BlockPlan | None = None
        self._has_block_plan = True

    def encode(self, record: Json, epoch: int, line: bytes) -> Encoded:
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

    def encode_block(self, block: bytes, epoch: int) -> list[Encoded] | None:
        """What `encode` makes of the records of these lines; None if they must go one by one."""
        if not self._has_block_plan:
            return None
        try:
            plan = self._block_plan or self._add_block_plan(block)
            if plan is None:
                return None
            bodies, people = plan.map(block)
        except (*INVALID_JSON, KeyError):
            return None
        room = self._call_max_bytes - _ID_MAX_BYTES
        stream, call_type = self._stream, self._call_type.name
        if all(bodies) and max(map(len, bodies)) <= room:
            return [
                EncodedCall(body, stream, call_type, person, epoch, block, number)
                for body, person, number in zip(
                    self._ids.add_to_all(bodies), people, range(len(bodies)), strict=True
                )
            ]
        fit = [0 < len(body) <= room for body in bodies]
        with_ids = iter(self._ids.add_to_all(list(compress(bodies, fit))))
        return [
            EncodedCall(next(with_ids), stream, call_type, person, epoch, line)
            if fits
            else self.encode(decode_object(line)["record"], epoch, line)
            for fits, person, line in zip(fit, people, lines_of(block), strict=True)
        ]

    def _add_block_plan(self, block: bytes) -> BlockPlan | None:
        record = decode_object(block[: block.find(b"\n") + 1] or block)["record"]
        if not isinstance(record, dict):
            return None
        columns = self._columns
        if list(record) != [name for name in columns if name in record]:
            columns = {name: _JSON_TYPES.get(type(value), "") for name, value in record.items()}
        self._block_plan = self._compile_block_plan(tuple(columns), column_types=columns)
        self._has_block_plan = self._block_plan is not None
        return self._block_plan

    def _encode_call(self, call: Json, epoch: int, line: bytes) -> EncodedCall | Rejection:
        body = encode_json(call)
        if self._call_type.build and not _has_text_keys(call):
            raise ValueError("a key is no text")
        plain = decode_plain(body)  # of types that the validators know
        if not self._is_valid(plain):
            reason = find_reason(self._call_type.schema, plain)
            return Rejection(reason or "The call breaks the schema of its type.", call)
        event_schema = self._event_schemas.get(str(call.get("event", "")))
        if event_schema and (reason := find_reason(event_schema, plain)):
            return Rejection(f'As event "{call["event"]}": {reason}', call)
        if "messageId" not in call:
            body = self._ids.add_to(body)
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


def find_reason(schema: Mapping[str, Any], call: Json) -> str:
    """What breaks the schema, in words without values; empty if nothing does.

    The call has plain JSON types, as a decoder makes them.
    """
    from jsonschema import Draft202012Validator  # noqa: PLC0415 - slow
    from jsonschema.exceptions import relevance  # noqa: PLC0415 - with it

    validator = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    error = max(validator.iter_errors(call), key=relevance, default=None)
    return f"{_place_of(error)} {describe_schema_error(error)}." if error else ""


def _place_of(error: ValidationError) -> str:
    path = ".".join(map(str, error.absolute_path))
    return f"Field `{path}`" if path else "The call"


def _has_text_keys(value: Any) -> bool:
    """Whether all keys are texts; the encoder would write numbers as such."""
    if isinstance(value, dict):
        return all(isinstance(key, str) and _has_text_keys(inner) for key, inner in value.items())
    return all(map(_has_text_keys, value)) if isinstance(value, list) else True
