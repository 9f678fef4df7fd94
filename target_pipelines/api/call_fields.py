"""JSON Schemas of the fields that call types share.

Source: the field tables of Customer.io's Data Pipelines API. Unknown context keys are allowed, as
in that API ("additional UTM parameters").
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
ID: Schema = {"type": "string", "minLength": 1}
BOOLEAN: Schema = {"type": "boolean"}
TIMESTAMP: Schema = {
    "type": "string",
    "format": "date-time",
    "pattern": "^(?:[1-9]|0[1-9]|00[1-9]|000[1-9])",  # the format alone allows the year 0
}
MESSAGE_ID_MAX_LENGTH = 100
MESSAGE_ID: Schema = {"type": "string", "minLength": 1, "maxLength": MESSAGE_ID_MAX_LENGTH}


def object_of(properties: Mapping[str, Schema]) -> Schema:
    """Schema of an object with these properties; others are allowed."""
    return {"type": "object", "properties": dict(properties)}


def nullable(schema: Schema) -> Schema:
    """Schema of a trait or property that may be sent as null (`null_values: send`)."""
    return {**schema, "type": [schema["type"], "null"]}


def text_fields(*names: str) -> dict[str, Schema]:
    """Properties that are all strings."""
    return dict.fromkeys(names, TEXT)


_PAGE = object_of(
    {
        "keywords": {"type": "array", "items": TEXT},
        **text_fields("name", "path", "referrer", "search", "title", "url"),
    }
)
_CONTEXT_FIELDS: dict[str, Schema] = {
    "active": BOOLEAN,
    **text_fields("channel", "ip", "locale", "userAgent"),
    "campaign": object_of(text_fields("content", "medium", "name", "source", "term")),
    "page": _PAGE,
}
CONTEXT = object_of(_CONTEXT_FIELDS)
"""Schema of `context`: where and how an event happened."""

MOBILE_CONTEXT = object_of(
    {
        **_CONTEXT_FIELDS,
        "app": object_of(text_fields("build", "name", "namespace", "version")),
        "device": object_of(
            {
                **text_fields("advertisingId", "id", "manufacturer", "model", "name", "version"),
                "type": TEXT,
            }
        ),
        "network": object_of(
            {"bluetooth": BOOLEAN, "carrier": TEXT, "cellular": BOOLEAN, "wifi": BOOLEAN}
        ),
        "os": object_of(text_fields("name", "version")),
    }
)
"""`CONTEXT` with the fields of mobile apps: app, device, network and operating system."""

INTEGRATIONS: Schema = {
    "type": "object",
    "additionalProperties": {"type": ["boolean", "object"]},
}

NEEDS_ID: Schema = {"anyOf": [{"required": ["userId"]}, {"required": ["anonymousId"]}]}
"""For the `call_schema` of an API that drops calls about nobody."""

USER_OR_ANONYMOUS_ID: Sequence[Schema] = (
    {"required": ["userId"]},
    {"required": ["anonymousId"]},
)
"""For `any_of`: the call has a userId or an anonymousId."""


def call_schema(
    properties: Mapping[str, Schema],
    *,
    required: Sequence[str] = (),
    any_of: Sequence[Schema] = (),
    context: Schema = CONTEXT,
) -> Schema:
    """Schema of a call with these fields and those that every call has.

    Args:
        properties: the fields of this call type.
        required: names of the required fields.
        any_of: schemas of which at least one must match.
        context: schema of `context`.
    """
    schema = object_of(
        {
            **properties,
            "context": context,
            "integrations": INTEGRATIONS,
            "timestamp": TIMESTAMP,
            "messageId": MESSAGE_ID,
        }
    )
    if required:
        schema["required"] = list(required)
    if any_of:
        schema["anyOf"] = list(any_of)
    return schema
