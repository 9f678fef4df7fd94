"""Customer.io Data Pipelines. Source: its OpenAPI description and SDKs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from target_pipelines import HttpProfile, hookimpl

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from target_pipelines import TargetSettings


def _headers(settings: TargetSettings) -> Mapping[str, str]:
    # Without it the API responds 200 to an invalid call and drops it.
    return {"X-Strict-Mode": "1"} if settings.strict else {}


def _event(
    *required: str, properties: Sequence[str] = (), context: Mapping[str, Any] | None = None
) -> Mapping[str, Any]:
    """Schema of a semantic event: the required fields of the call and of its properties."""
    schema: dict[str, Any] = {"required": list(required), "properties": {}}
    if properties:
        schema["required"].append("properties")
        schema["properties"]["properties"] = {"required": list(properties)}
    if context:
        schema["required"].append("context")
        schema["properties"]["context"] = context
    return schema


_DEVICE = {
    "required": ["device"],
    "properties": {"device": {"type": "object", "required": ["token"]}},
}
# Source: the semantic events of its Journeys API.
_EVENTS = {
    "User Deleted": _event("userId"),
    "User Suppressed": _event("userId"),
    "User Unsuppressed": _event("userId"),
    "Relationship Deleted": _event("userId", properties=["objectId", "objectTypeId"]),
    "Object Deleted": _event("anonymousId", properties=["objectId", "objectTypeId"]),
    "Device Created or Updated": _event("userId", context=_DEVICE),
    "Device Deleted": _event("userId", context=_DEVICE),
}

_CONTEXT_LIMITS = {
    "properties": {
        "channel": {"enum": ["browser", "server", "mobile"]},
        "device": {"properties": {"type": {"enum": ["android", "ios"]}}},
    }
}
"""Source: the field tables of Customer.io's Data Pipelines API."""

PROFILE = HttpProfile(
    name="customerio",
    call_schema={"properties": {"context": _CONTEXT_LIMITS}},
    base_urls={"us": "https://cdp.customer.io/v1", "eu": "https://cdp-eu.customer.io/v1"},
    call_max_bytes=32 * 1024,
    batch_max_bytes=500 * 1024,
    requests_per_second=1000,  # 3,000 in 3 s
    max_traits=300,  # source of both: its documentation of attributes
    max_trait_name_bytes=150,
    headers=_headers,
    events=_EVENTS,
)


@hookimpl
def register_destinations(register: Any) -> None:
    """Register `customerio`."""
    register(PROFILE.as_destination())
