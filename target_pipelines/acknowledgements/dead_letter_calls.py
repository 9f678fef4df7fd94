"""Converts calls to the JSON of dead letters and back; whom a call is about."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from program_kit.exact_json import decode_json, encode_json
from target_pipelines.api.calls import EncodedCall
from target_pipelines.api.ordering_key import ordering_key_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from target_pipelines.api.call_types import Json

SUPERSEDED = "superseded"
"""The field of a letter of a fact: see `newer_calls`."""
_FACTS = frozenset({"identify", "group"})
_IDENTITY = ("type", "groupId", "objectTypeId")


def call_of_dead_letter(dead_letter: Mapping[str, Any], epoch: int) -> EncodedCall:
    """The call of a dead letter, as it was sent before. Raises KeyError or TypeError."""
    call, line = dead_letter["call"], encode_json({"record": dead_letter.get("record")})
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


def find_person(stream: str, call: Any) -> tuple[str, bytes] | None:
    """Whom a fact is about: the ordering key, and a digest of stream, person and group.

    None for events, aliases and calls about nobody: nothing supersedes them.
    """
    if not isinstance(call, dict) or call.get("type") not in _FACTS:
        return None
    key = ordering_key_of(call)
    if not key:
        return None
    ids = encode_json([stream, key, *map(call.get, _IDENTITY)])
    return key, hashlib.blake2b(ids, digest_size=16).digest()


def encode_letter(letter: Mapping[str, Any]) -> bytes:
    """A dead letter as a line of the file; `superseded` is last, so that it can be marked there."""
    rest = {name: value for name, value in letter.items() if name != SUPERSEDED}
    last = {SUPERSEDED: letter[SUPERSEDED]} if SUPERSEDED in letter else {}
    return encode_json({**rest, **last}) + b"\n"
