"""Which records the batch encoder leaves to the row encoder, and why: all reasons in one type.

The batch encoder never guesses. Where its call would differ from the row encoder's, or where the
record becomes a dead letter whose reason only the row encoder can give, it returns a `Fallback`:
for a whole stream, for a block, or for single records. `StreamEncoder` obeys it.
"""

from __future__ import annotations

import re
from collections import Counter
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from target_pipelines.api.call_types import CallType
    from target_pipelines.encoding.mapping import Plan

_ESCAPED_IN_JSON = re.compile(r'["\\\x00-\x1f]')
"""Characters that msgspec does not accept in the name of a field."""
_HARMLESS = {"type", "properties", "required", "anyOf", "allOf", "title", "description", "$schema"}
"""Keywords of an object's schema that a member which it does not mention cannot violate."""


class Fallback(Enum):
    """Why the row encoder encodes a record."""

    # All records of a stream
    DELETED = "the source marks rows that are gone, which are not sent"
    BUILD = "the call type has a `build`, which needs the whole call"
    NO_CONTAINER = "the call type has no traits or properties for further columns"
    STRICT_SCHEMA = "the call's schema restricts members that it does not mention"
    JSON_COLUMNS = "a column has JSON as text"
    COLUMN_CONFLICT = "two columns map to the same field"
    COLUMN_ORDER = "the SCHEMA describes some of the columns, and not in the order of their names"
    COLUMN_NAME = "a column's name needs escaping, or differs from another in case only"
    OWN_MESSAGE_ID = "a column sets the messageId"
    RESHAPED_CONTAINER = "traits or properties are renamed, nested or filled by one column"
    MISSING_KEY = "the first record lacks a key column"

    # All records of a block
    NOT_DECODABLE = "a line is not a RECORD of the stream with the expected columns"

    # One record
    MISSING_COLUMN = "the record lacks a column"
    EVENT_SCHEMA = "the destination has a schema for this event"
    OBJECT_CONFLICT = "two columns fill one object, and one of them not with an object"
    NULL_KEY = "a key column is null, which the row struct cannot omit"
    INVALID_CALL = "the call violates the schema of its type"
    TOO_LARGE = "the call may be larger than the destination accepts"


def find_stream_fallback(call_type: CallType) -> Fallback | None:
    """Why no record of a call type can be encoded in batches; None if records can."""
    if call_type.build:
        return Fallback.BUILD
    if not call_type.extra_columns:
        return Fallback.NO_CONTAINER
    if not _ignores_unmentioned(call_type.schema, call_type.extra_columns):
        return Fallback.STRICT_SCHEMA
    return None


def find_plan_fallback(plan: Plan, container: str) -> Fallback | None:
    """Why no record can be encoded in batches by this plan; None if records can."""
    steps = [step for group in plan.groups for step in group.steps]
    if needs_escaping(step.column for step in steps):
        return Fallback.COLUMN_NAME
    top_names = {step.name for step in plan.top.steps}
    if "messageId" in top_names:
        return Fallback.OWN_MESSAGE_ID
    kept = [step for group in plan.nested if group.parents[0] == container for step in group.steps]
    if container in top_names or not kept or any(step.column != step.name for step in kept):
        return Fallback.RESHAPED_CONTAINER
    # Without one of the two, the other would match the known name.
    if max(Counter(step.column.casefold() for step in kept).values()) > 1:
        return Fallback.COLUMN_NAME
    return None


def needs_escaping(columns: Iterable[str]) -> bool:
    """Whether a column cannot be a field of a struct, because its name is escaped in JSON."""
    return any(_ESCAPED_IN_JSON.search(column) for column in columns)


def _ignores_unmentioned(schema: Mapping[str, Any], container: str | None) -> bool:
    """Whether members that an object's schema does not mention cannot violate it."""
    inner = schema.get("properties", {}).get(container, {})
    branches = [*schema.get("anyOf", ()), *schema.get("allOf", ())]
    return (
        schema.keys() <= _HARMLESS
        and (container is None or _ignores_unmentioned(inner, None))
        and all(_ignores_unmentioned(branch, container) for branch in branches)
    )
