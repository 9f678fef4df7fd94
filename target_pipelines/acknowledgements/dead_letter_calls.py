"""Calls to dead letters and back, with the digits of their numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from program_kit.exact_json import decode_json, encode_json
from target_pipelines.api.calls import EncodedCall
from target_pipelines.api.ordering_key import ordering_key_of

if TYPE_CHECKING:
    from target_pipelines.api.call_types import Json


def encode_letter(letter: Json, epoch: int) -> EncodedCall:
    """The call of a dead letter, as it was sent the first time."""
    call, line = letter["call"], encode_json({"record": letter["record"]})
    body = encode_json(call)
    key = ordering_key_of(call)
    return EncodedCall(body, letter["stream"], letter["call_type"], key, epoch, line)


def decode_call(call: EncodedCall) -> tuple[Json, Json | None]:
    """A call and its record, numbers with their digits."""
    record = decode_json(call.line)["record"] if call.line else None
    return decode_json(call.body), record
