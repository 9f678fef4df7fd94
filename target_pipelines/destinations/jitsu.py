"""Jitsu: one event per request. Source: its documentation and the code of its ingest server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from target_pipelines import (
    NEEDS_ID,
    Fatal,
    HttpProfile,
    Outcome,
    classify_response,
    hookimpl,
    key_in_header,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from target_pipelines import EncodedCall, TargetSettings

_OWN_PATHS = frozenset({"group", "identify", "page", "track"})


class _Typed(msgspec.Struct):
    type: str


def _path(calls: Sequence[EncodedCall]) -> str:
    """The path of a call's type; `event` takes all others, such as alias and screen."""
    call_type = msgspec.json.decode(calls[0].body, type=_Typed).type
    return f"/api/s/s2s/{call_type if call_type in _OWN_PATHS else 'event'}"


def _classify(status: int, headers: Mapping[str, str], body: bytes, *, now: datetime) -> Outcome:
    """As for other APIs, but a source without destinations responds 200 and drops the call."""
    if 200 <= status <= 299 and b'"error"' in body:
        return Fatal(
            f"HTTP {status} with an error: the event was dropped. Connect the source to a "
            "destination in Jitsu"
        )
    return classify_response(status, headers, body, now=now)


def _find_problems(settings: TargetSettings) -> Iterator[str]:
    if settings.gzip:
        yield "Setting `gzip` must be false for jitsu: it does not decompress single events."


PROFILE = HttpProfile(
    name="jitsu",
    call_schema=NEEDS_ID,
    call_max_bytes=900_000,  # it stores 1,000,000, including the headers and times it adds
    batch_max_bytes=900_000,
    batch_max_calls=1,
    path=_path,
    envelope=(b"", b""),
    authenticate=key_in_header("X-Write-Key"),
    classify=_classify,
    find_further_problems=_find_problems,
)


@hookimpl
def register_destinations(register: Any) -> None:
    """Register `jitsu`."""
    register(PROFILE.as_destination())
