"""Converts DuckDB's values to the Python values of `results`."""

from __future__ import annotations

from datetime import UTC, timedelta, timezone
from typing import TYPE_CHECKING, Any

from sandbox.sql_server.engine.values.literals import read_variant
from sandbox.sql_server.engine.values.sql_types import is_unicode
from sandbox.sql_server.engine.values.surrogates import decode_surrogates

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from sandbox.sql_server.engine.translation.name_scopes import Field
    from sandbox.sql_server.results import SqlType


def row_reader(fields: Sequence[Field]) -> Callable[[Sequence[Any]], Sequence[Any]] | None:
    """A function that converts DuckDB's rows; None if they need no conversion."""
    converters = [(i, c) for i, f in enumerate(fields) if (c := converter(f.type)) is not None]
    if not converters:
        return None

    def read(row: Sequence[Any]) -> Sequence[Any]:
        values = list(row)
        for index, convert in converters:
            value = values[index]
            if value is not None:
                values[index] = convert(value)
        return values

    return read


def converter(sql_type: SqlType) -> Callable[[Any], Any] | None:
    """A function that converts DuckDB's non-NULL values; None if they need no conversion."""
    if sql_type.name in ("char", "nchar"):
        return _pad(sql_type.length or 0)
    if is_unicode(sql_type):
        return decode_surrogates
    return _CONVERTERS.get(sql_type.name)


def _pad(length: int) -> Callable[[str], str]:
    def pad(text: str) -> str:
        shown = decode_surrogates(text)
        if shown.isascii():
            return shown.ljust(length)
        units = len(shown.encode("utf-16-le", "surrogatepass")) // 2
        return shown + " " * (length - units)

    return pad


def _rowversion(value: int) -> bytes:
    return value.to_bytes(8, "big")


def _aware(value: dict[str, Any]) -> datetime:
    zone = timezone(timedelta(minutes=value["zone"])) if value["zone"] else UTC
    utc: datetime = value["utc"].replace(tzinfo=UTC)
    return utc.astimezone(zone)


def _variant(stored: str) -> Any:
    value = read_variant(stored)
    return decode_surrogates(value) if isinstance(value, str) else value


_CONVERTERS: Mapping[str, Callable[[Any], Any]] = {
    "timestamp": _rowversion,
    "datetimeoffset": _aware,
    "sql_variant": _variant,
}
