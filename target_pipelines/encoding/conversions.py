"""Converts column values to the types of call fields. Pure; NULL stays None.

A value that cannot be converted is returned unchanged: the call's schema then rejects it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from program_kit.exact_json import INVALID_JSON, decode_json

Conversion = Callable[[Any], Any]

_MILLISECONDS_FROM = 100_000_000_000
"""Unix times from here on are in milliseconds: as seconds they lie beyond the year 5000."""
_BOOLEANS = {"true": True, "false": False, "1": True, "0": False}


def conversion_for(schema: Mapping[str, Any]) -> Conversion | None:
    """The conversion to the type in a field's schema; None if the schema accepts any value."""
    if schema.get("format") == "date-time":
        return to_instant
    wanted = schema.get("type")
    return _BY_TYPE.get(wanted[0] if isinstance(wanted, list) else wanted)


def to_text(value: Any) -> Any:
    """A string: numbers keep their digits, whole ones lose `.0`; no padding; empty is None."""
    if isinstance(value, str):
        return value.rstrip(" ") or None
    if type(value) is int:  # a bool is an int, too
        return str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return str(int(value)) if value == value.to_integral_value() else format(value, "f")
    return value


def to_boolean(value: Any) -> Any:
    """A boolean, from a bit, or from `true`, `false`, `1` or `0` as text."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _BOOLEANS.get(value.strip().lower(), value)
    return bool(value) if value in (0, 1) else value


def to_instant(value: Any) -> Any:
    """ISO 8601 with an offset, from ISO 8601 text (without an offset: UTC) or unix time."""
    if isinstance(value, str):
        return _instant_of_text(value)
    if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        return _instant_of_number(value)
    return value


def _instant_of_text(value: str) -> str | None:
    text = value.strip()
    if not text or text.endswith("Z"):
        return text or None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return value
    return instant.isoformat() if instant.tzinfo else f"{instant.isoformat()}Z"


def _instant_of_number(value: int | Decimal) -> Any:
    seconds = float(value)
    if abs(seconds) >= _MILLISECONDS_FROM:
        seconds /= 1000
    try:
        instant = datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return value
    return instant.isoformat().replace("+00:00", "Z")


def _parse_json(opening: str) -> Conversion:
    """A conversion that parses text which begins with this character as JSON."""

    def convert(value: Any) -> Any:
        if not isinstance(value, str) or not value.lstrip().startswith(opening):
            return value
        try:
            return decode_json(value.encode())
        except INVALID_JSON:
            return value

    return convert


_BY_TYPE: Mapping[str | None, Conversion] = {
    "string": to_text,
    "boolean": to_boolean,
    "array": _parse_json("["),
    "object": _parse_json("{"),
}
