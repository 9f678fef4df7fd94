"""Ranges of an ordered column: its values in the state, as numbers, and as SQL. Pure.

A value is an integer, or the text of a date, of a date-time without an offset, or of a
uniqueidentifier. Nothing else becomes SQL, whatever a state file holds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Value = int | str

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,7})?")
_GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_GUID_ORDER = (10, 11, 12, 13, 14, 15, 8, 9, 6, 7, 4, 5, 0, 1, 2, 3)
"""Which bytes of a uniqueidentifier SQL Server compares first. Source: .NET's SqlGuid."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _Kind(NamedTuple):
    """How the values of one kind are written in SQL, and which numbers have their order."""

    pattern: re.Pattern[str]
    sql: str
    to_number: Callable[[str], int]
    to_value: Callable[[int], str]


def _seconds_of(moment: str) -> int:
    return int((datetime.fromisoformat(moment[:19]).replace(tzinfo=UTC) - _EPOCH).total_seconds())


def _moment_of(seconds: int) -> str:
    return (_EPOCH + timedelta(seconds=seconds)).replace(tzinfo=None).isoformat()


def _number_of_guid(guid: str) -> int:
    stored = UUID(guid).bytes_le
    return int.from_bytes(bytes(stored[index] for index in _GUID_ORDER))


def _guid_of(number: int) -> str:
    stored = bytearray(16)
    for index, byte in zip(_GUID_ORDER, number.to_bytes(16), strict=True):
        stored[index] = byte
    return str(UUID(bytes_le=bytes(stored)))


_KINDS = (
    _Kind(
        _DATE,
        "CAST('{}' AS date)",
        lambda day: date.fromisoformat(day).toordinal(),
        lambda number: date.fromordinal(number).isoformat(),
    ),
    _Kind(_MOMENT, "CAST('{}' AS datetime2(7))", _seconds_of, _moment_of),
    _Kind(_GUID, "CAST('{}' AS uniqueidentifier)", _number_of_guid, _guid_of),
)


@dataclass(frozen=True, slots=True)
class KeyRange:
    """Values from `low` up to, but without, `high`; None: no bound. The lowest range has NULL."""

    low: Value | None = None
    high: Value | None = None

    def condition(self, column: str) -> str:
        """What SQL asks of a column whose values lie in the range."""
        name = quote_name(column)
        bounds = []
        if self.low is not None:
            bounds.append(f"{name} >= {literal_of(self.low)}")
        if self.high is not None:
            below = f"{name} < {literal_of(self.high)}"
            bounds.append(f"({below} OR {name} IS NULL)" if self.low is None else below)
        return " AND ".join(bounds) or "1 = 1"


def value_of(read: object) -> Value:
    """A value that a driver read, as the state holds it. Raises ValueError: it has no such kind."""
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


def literal_of(value: Any) -> str:
    """A value as SQL. Raises ValueError if it is none."""
    if type(value) is int:
        return str(value)
    kind = _kind_of(value)
    kind.to_number(value)  # raises for the 30th of February
    return kind.sql.format(value)


def split(low: Value, high: Value, count: int) -> list[KeyRange]:
    """Ranges of equal width, at most `count`, that hold all values; `low` and `high` are extremes.

    Raises ValueError if the two are not of one kind.
    """
    first, last = _number_of(low), _number_of(high)
    width = last - first + 1
    numbers = sorted({first + width * index // count for index in range(1, count)} - {first})
    bounds = [None, *(_like(low, number) for number in numbers), None]
    return [KeyRange(below, above) for below, above in pairwise(bounds)]


def quote_name(name: str) -> str:
    """A name in brackets."""
    return f"[{name.replace(']', ']]')}]"


def _kind_of(value: Any) -> _Kind:
    for kind in _KINDS:
        if isinstance(value, str) and kind.pattern.fullmatch(value):
            return kind
    raise ValueError("no integer, date, date-time or uniqueidentifier")


def _number_of(value: Value) -> int:
    return value if isinstance(value, int) else _kind_of(value).to_number(value)


def _like(value: Value, number: int) -> Value:
    return number if isinstance(value, int) else _kind_of(value).to_value(number)


def cover_all(ranges: Sequence[KeyRange]) -> bool:
    """Whether the ranges, side by side, hold every value there is."""
    if not ranges or ranges[0].low is not None or ranges[-1].high is not None:
        return False
    return all(a.high == b.low and a.high is not None for a, b in pairwise(ranges))
