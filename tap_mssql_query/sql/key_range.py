"""Ranges of an ordered column: its values in the state, as numbers, and as SQL. Pure.

A value is an integer, or the text of a date, of a date-time without an offset, or of a
uniqueidentifier. Nothing else in a state file can become SQL.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from program_kit.timestamps import parse_iso_timestamp

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

KeyValue = int | str

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_DATETIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,7})?")
_GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_GUID_ORDER = (10, 11, 12, 13, 14, 15, 8, 9, 6, 7, 4, 5, 0, 1, 2, 3)
"""The order in which SQL Server compares uniqueidentifier bytes. Source: .NET's SqlGuid."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _KeyType(NamedTuple):
    """How a type's values are written in SQL, and an order-preserving mapping to integers."""

    pattern: re.Pattern[str]
    sql: str
    to_number: Callable[[str], int]
    to_value: Callable[[int], str]


def _seconds_of(text: str) -> int:
    return parse_iso_timestamp(text[:19])


def _datetime_of(seconds: int) -> str:
    return (_EPOCH + timedelta(seconds=seconds)).replace(tzinfo=None).isoformat()


def _number_from_guid(guid: str) -> int:
    stored = UUID(guid).bytes_le
    return int.from_bytes(bytes(stored[index] for index in _GUID_ORDER))


def _guid_from_number(number: int) -> str:
    stored = bytearray(16)
    for index, byte in zip(_GUID_ORDER, number.to_bytes(16), strict=True):
        stored[index] = byte
    return str(UUID(bytes_le=bytes(stored)))


_KEY_TYPES = (
    _KeyType(
        _DATE,
        "CAST('{}' AS date)",
        lambda day: date.fromisoformat(day).toordinal(),
        lambda number: date.fromordinal(number).isoformat(),
    ),
    _KeyType(_DATETIME, "CAST('{}' AS datetime2(7))", _seconds_of, _datetime_of),
    _KeyType(_GUID, "CAST('{}' AS uniqueidentifier)", _number_from_guid, _guid_from_number),
)


@dataclass(frozen=True, slots=True)
class KeyRange:
    """Values from `low` up to, but excluding, `high`; None: unbounded.

    NULL belongs to the lowest range.
    """

    low: KeyValue | None = None
    high: KeyValue | None = None

    def condition(self, column: str) -> str:
        """A SQL condition that is true for values in the range."""
        name = quote_name(column)
        bounds = []
        if self.low is not None:
            bounds.append(f"{name} >= {sql_literal(self.low)}")
        if self.high is not None:
            below = f"{name} < {sql_literal(self.high)}"
            bounds.append(f"({below} OR {name} IS NULL)" if self.low is None else below)
        return " AND ".join(bounds) or "1 = 1"


def to_key_value(read: object) -> KeyValue:
    """A value from the driver, as the state holds it. Raises ValueError for any other type."""
    match read:
        case bool():
            pass
        case int():
            return read
        case datetime(tzinfo=None):
            return read.isoformat()
        case date() if not isinstance(read, datetime):
            return read.isoformat()
        case UUID():
            return str(read)
        case str() if _GUID.fullmatch(read.lower()):
            return read.lower()
    if getattr(read, "as_tuple", None) and read == int(read):  # type: ignore[call-overload]
        return int(read)  # type: ignore[call-overload,no-any-return]
    raise ValueError("neither a whole number, a date, a date-time nor a uniqueidentifier")


def sql_literal(value: Any) -> str:
    """A value as SQL. Raises ValueError if it is not a key value."""
    if type(value) is int:
        return str(value)
    key_type = _key_type_of(value)
    key_type.to_number(value)  # raises for 30 February
    return key_type.sql.format(value)


def split_range(low: KeyValue, high: KeyValue, count: int) -> list[KeyRange]:
    """Split all values into at most `count` ranges, of equal width between the extremes given.

    Raises ValueError if `low` and `high` differ in type.
    """
    first, last = _number_of(low), _number_of(high)
    width = last - first + 1
    numbers = sorted({first + width * index // count for index in range(1, count)} - {first})
    bounds = [None, *(_like(low, number) for number in numbers), None]
    return [KeyRange(below, above) for below, above in pairwise(bounds)]


def quote_name(name: str) -> str:
    """A name in brackets."""
    return f"[{name.replace(']', ']]')}]"


def _key_type_of(value: Any) -> _KeyType:
    for key_type in _KEY_TYPES:
        if isinstance(value, str) and key_type.pattern.fullmatch(value):
            return key_type
    raise ValueError("not an integer, date, date-time or uniqueidentifier")


def _number_of(value: KeyValue) -> int:
    return value if isinstance(value, int) else _key_type_of(value).to_number(value)


def _like(value: KeyValue, number: int) -> KeyValue:
    return number if isinstance(value, int) else _key_type_of(value).to_value(number)


def cover_all_values(ranges: Sequence[KeyRange]) -> bool:
    """Whether the ranges, in order, contain every value exactly once."""
    if not ranges or ranges[0].low is not None or ranges[-1].high is not None:
        return False
    return all(a.high == b.low and a.high is not None for a, b in pairwise(ranges))
