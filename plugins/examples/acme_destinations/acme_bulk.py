"""acme_bulk: an API whose calls have another shape, and which answers for each call.

A request is `{"items": [{"id", "op", "who", "data"}]}`. With HTTP 207 the response has a status for
each item, in their order: `{"items": [{"status": 201}, {"status": 422, "code": "bad_email"}]}`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from target_pipelines import (
    DestinationType,
    Fatal,
    HttpProfile,
    Outcome,
    PartlyRejected,
    Rejected,
    Retry,
    Setting,
    TargetSettings,
    classify_response,
    hookimpl,
    key_in_header,
    parse_retry_after,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

SETTINGS = (
    Setting("acme_project", {"type": "string", "minLength": 1}, "The project's id.", required=True),
    Setting("api_secret", {"type": "string", "minLength": 1}, "The second key.", secret=True),
)
_ENVELOPE_FIELDS = ("messageId", "type", "userId")


def reshape(call: dict[str, Any]) -> dict[str, Any]:
    """The item of a call."""
    return {
        "id": call["messageId"],
        "op": call["type"],
        "who": call.get("userId"),
        "data": {name: value for name, value in call.items() if name not in _ENVELOPE_FIELDS},
    }


def headers(settings: TargetSettings) -> dict[str, str]:
    """The project, and the second key if there is one."""
    options = settings.destination_options
    secret = {"X-Acme-Secret": options["api_secret"]} if options["api_secret"] else {}
    return {"X-Acme-Project": options["acme_project"], **secret}


def classify(status: int, headers: Mapping[str, str], body: bytes, *, now: datetime) -> Outcome:
    """The outcome of a response; only 207 differs from other APIs."""
    if status != 207:
        return classify_response(status, headers, body, now=now)
    try:
        statuses = [int(item["status"]) for item in json.loads(body)["items"]]
    except (ValueError, KeyError, TypeError):
        return Fatal("HTTP 207 without a status for each item. Correct the setting `endpoint`")
    if any(item == 429 or item >= 500 for item in statuses):
        # All items are sent again: the API knows the ids of those that it has.
        return Retry("HTTP 207", parse_retry_after(headers.get("Retry-After"), now))
    refused = {
        position: Rejected(f"HTTP {item} for this item", item)
        for position, item in enumerate(statuses)
        if item >= 400
    }
    return PartlyRejected(refused, count=len(statuses))


PROFILE = HttpProfile(
    name="acme_bulk",
    call_max_bytes=32 * 1024,
    batch_max_bytes=500 * 1024,
    batch_max_calls=500,
    path=lambda _: "/bulk",
    envelope=(b'{"items":[', b"]}"),
    authenticate=key_in_header("Authorization", "Bearer "),
    headers=headers,
    reshape=reshape,
    classify=classify,
    settings=SETTINGS,
)


@hookimpl
def register_destinations(register: Callable[[DestinationType], None]) -> None:
    """Register `acme_bulk`."""
    register(PROFILE.as_destination())
