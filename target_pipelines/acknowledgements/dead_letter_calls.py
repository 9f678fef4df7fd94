"""Converts calls to the JSON of dead letters and back; numbers keep their digits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from program_kit.exact_json import decode_json, encode_json
from target_pipelines.api.calls import EncodedCall
from target_pipelines.api.ordering_key import ordering_key_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from typing import Any

    from target_pipelines.api.call_types import Json


def call_of_dead_letter(dead_letter: Mapping[str, Any], epoch: int) -> EncodedCall:
    """The call of a dead letter, as it was sent before. Raises KeyError or TypeError."""
    call, line = dead_letter["call"], encode_json({"record": dead_letter["record"]})
    body, key = encode_json(call), ordering_key_of(call)
    return EncodedCall(
        body,
        dead_letter["stream"],
        dead_letter["call_type"],
        key,
        epoch,
        line,
        position=dead_letter.get("position"),
    )


def key_of(record: Json | None, columns: Collection[str]) -> Json | None:
    """The key columns of a record, also those that are null or missing; None if it has no key."""
    return {name: (record or {}).get(name) for name in sorted(columns)} or None


def decode_call(call: EncodedCall) -> tuple[Json, Json | None]:
    """A call and its record, whose numbers keep their digits."""
    record = decode_json(call.line)["record"] if call.line else None
    return decode_json(call.body), record
