"""Converts column values to the types of call fields. Pure; NULL stays None.

A value that cannot be converted is returned unchanged: the call's schema then rejects it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from program_kit.exact_json import INVALID_JSON, decode_json
from program_kit.json_limits import is_too_deep

Conversion = Callable[[Any], Any]

_UNIX_FROM, _UNIX_TO = 631_152_000, 4_102_444_800
"""A unix time is plausible from 1990 to the end of 2099, in seconds. So at most one unit fits, and
dates and times written as digits fit none: 20260102, 202601020304, 20260102030405."""
_PER_SECOND = (1, 10**3, 10**6, 10**9)
_MAX_EXPONENT = 400
"""More than a float has: written in full, a number with a larger one would fill the memory."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SEPARATORS = ("T", " ", "")
_UNIX_TIME = re.compile(r"\+?(?!0\d)\d{1,19}(?:\.\d{1,20})?", re.ASCII)
_COMPACT_DATE = re.compile(r"(?!1[0-7]|1800)[1-9]\d{7}", re.ASCII)
"""ISO 8601 without hyphens, such as 20260102: as unix time it would be neither."""
_ISO_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d|\d{8}(?=T))(?:[T ](\d\d(?::?\d\d(?::?\d\d(?:[.,]\d+)?)?)?)"
    r" ?(Z|[+-]\d\d(?::?\d\d)?)?)?",
    re.ASCII | re.IGNORECASE,
)
"""ISO 8601 with or without time and offset; a blank instead of the T, as SQL Server writes it."""
_WITHOUT_WIDTH = "\u200b\u200c\u200d\u2060\ufeff"
_BOOLEANS = {"true": True, "false": False, "1": True, "0": False}


def conversion_for(schema: Mapping[str, Any]) -> Conversion | None:
    """The conversion to the type in a field's schema; None if the schema accepts any value."""
    if schema.get("format") == "date-time":
        return to_instant
    words = schema.get("enum")
    if words and all(isinstance(word, str) for word in words):
        return _to_word(words)
    wanted = schema.get("type")
    types = wanted if isinstance(wanted, list) else [wanted]
    if "string" in types:  # which any value can become
        types = types[:1]
    found = [_BY_TYPE[name] for name in types if name in _BY_TYPE]
    return _one_of(found) if len(found) > 1 else next(iter(found), None)


def _to_word(words: Sequence[str]) -> Conversion:
    """One of these words, in whatever case it is written."""
    known, by_fold = frozenset(words), {word.casefold(): word for word in words}

    def convert(value: Any) -> Any:
        text = to_text(value)
        if not isinstance(text, str) or text in known:
            return text
        return by_fold.get(text.casefold(), text)

    return convert


def _one_of(conversions: Sequence[Conversion]) -> Conversion:
    """The first of these that changes a value."""

    def convert(value: Any) -> Any:
        results = (conversion(value) for conversion in conversions)
        return next((result for result in results if result is not value), value)

    return convert


def to_text(value: Any) -> Any:
    """A string: numbers keep their digits, whole ones lose `.0`; no padding; blank is None."""
    if isinstance(value, str):
        text = value.rstrip(" ")
        is_blank = not text or text.isspace() or not text.strip(_WITHOUT_WIDTH + " ")
        return None if is_blank else text
    if type(value) is int:  # a bool is an int, too
        return str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        if abs(value.adjusted()) > _MAX_EXPONENT:
            return value
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
    """ISO 8601 with an offset, from ISO 8601 text (without an offset: UTC) or unix time.

    Unix time is a number or its digits, in seconds, milliseconds, microseconds or nanoseconds, told
    apart by magnitude.
    """
    if isinstance(value, str):
        return _instant_of_text(value)
    if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        return _instant_of_number(value) or value
    return value


def _instant_of_text(value: str) -> str | None:
    is_long = len(value) >= 20
    if is_long and value[7] == "-" and value[10] == "T" and value[19] in ".Z" and value[-1] == "Z":
        return value  # as the tap writes it; the schema checks the rest
    text = value.strip()
    if not text:
        return None
    if text[4:5] == text[7:8] == "-" and text[10:11] in _SEPARATORS:
        try:
            return _format(datetime.fromisoformat(text))
        except ValueError:
            pass  # Python knows fewer forms
    if _COMPACT_DATE.fullmatch(text):
        return _instant_of_parts(text) or value
    if _UNIX_TIME.fullmatch(text):
        return _instant_of_number(Decimal(text)) or value
    parts = _ISO_TIME.fullmatch(text)
    return (parts and _instant_of_parts(*parts.groups(default=""))) or value


def _instant_of_parts(date: str, time: str = "", offset: str = "") -> str | None:
    """Date, time of day and offset as one text; None if there is no such time."""
    try:
        instant = datetime.fromisoformat(f"{date}T{time or '00'}{offset.upper()}")
    except ValueError:
        return None
    return _format(instant)


def _instant_of_number(value: int | Decimal) -> str | None:
    """A unix time as text, to the microsecond; None if it is plausible in no unit."""
    if value == 0:  # the same in every unit
        return _format(_EPOCH)
    for per_second in _PER_SECOND:
        if _UNIX_FROM * per_second <= value < _UNIX_TO * per_second:
            microseconds = round(Decimal(value) * 10**6 / per_second)
            return _format(_EPOCH + timedelta(microseconds=microseconds))
    return None


def _format(instant: datetime) -> str:
    """ISO 8601 with the offset; with Z if it is UTC, or if there is none."""
    text = instant.isoformat()
    return text.replace("+00:00", "Z") if instant.tzinfo else f"{text}Z"


def to_json(value: Any) -> Any:
    """The value that a JSON text stands for; others, and what is too deep, as they are."""
    if not isinstance(value, str) or is_too_deep(value):
        return value
    try:
        return decode_json(value.encode())
    except INVALID_JSON:
        return value


def _parse_json(opening: str) -> Conversion:
    """A conversion that parses text which begins with this character as JSON."""

    def convert(value: Any) -> Any:
        is_json = isinstance(value, str) and value.lstrip().startswith(opening)
        return to_json(value) if is_json else value

    return convert


_BY_TYPE: Mapping[str | None, Conversion] = {
    "string": to_text,
    "boolean": to_boolean,
    "array": _parse_json("["),
    "object": _parse_json("{"),
}
