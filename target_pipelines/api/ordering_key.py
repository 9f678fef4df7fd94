"""The ordering key of a call: calls with the same key are delivered in the order of their rows.

It is the `userId`, else the `anonymousId`, else the `groupId`, else `traits.email`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_ID_FIELDS = ("userId", "anonymousId", "groupId")

ORDERING_KEY_PATHS = frozenset(
    {*((field,) for field in _ID_FIELDS), ("traits",), ("traits", "email")}
)
"""The places in a call whose values can change its ordering key."""


def is_ordering_field(column: str) -> bool:
    """Whether a column of this name, in any case, becomes an id that can be the ordering key."""
    return column.casefold() in {field.casefold() for field in _ID_FIELDS}


def ordering_key_of(call: Mapping[str, Any]) -> str:
    """The ordering key of a call; empty if it has none of the fields."""
    for field in _ID_FIELDS:
        if (value := call.get(field)) is not None:
            return str(value)
    traits = call.get("traits")
    return str(traits.get("email", "")) if isinstance(traits, dict) else ""
