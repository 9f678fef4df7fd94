"""The rows that are measured: 12 columns of the usual types, as TDS bytes and as Singer lines."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sandbox.sql_server.canned import CannedResult
from sandbox.sql_server.results import Column, SqlType

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COLUMNS = (
    Column("userId", SqlType("int")),
    Column("event", SqlType("nvarchar", 100)),
    Column("fname", SqlType("nvarchar", 100)),
    Column("lname", SqlType("nvarchar", 100)),
    Column("phone", SqlType("varchar", 20)),
    Column("city", SqlType("varchar", 100)),
    Column("score", SqlType("float")),
    Column("active", SqlType("bit")),
    Column("total", SqlType("decimal", precision=12, scale=2)),
    Column("updated", SqlType("datetime2", scale=3)),
    Column("number", SqlType("bigint")),
    Column("guid", SqlType("uniqueidentifier")),
)
_BLOCK_ROWS = 10_000


def _row(number: int) -> tuple[Any, ...]:
    return (
        *(number, "Order Completed", f"Zoë{number % 97}", "Müller"),
        *(f"+4930{number:07d}", "Berlin", number / 7, number % 2 == 0),
        Decimal(number) / 100,
        datetime(2026, 1, 2, 3, 4, number % 60, 123_000),  # noqa: DTZ001 - datetime2
        number * 1_000_003,
        UUID(int=number),
    )


def canned_rows(count: int) -> CannedResult:
    """A result of so many rows, in whole blocks of 10,000."""
    rows = (_row(number) for number in range(_BLOCK_ROWS))
    return CannedResult.build(COLUMNS, rows, repeat=count // _BLOCK_ROWS)


def write_singer_lines(path: Path, count: int) -> None:
    """A file with a SCHEMA, so many RECORDs of a track stream, and a STATE."""
    with path.open("w", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in _singer_lines(count))


def _singer_lines(count: int) -> Iterator[str]:
    schema = {"type": "object", "properties": {}, "x-call-type": "track", "x-last-sync-time": 0}
    yield _dump({"type": "SCHEMA", "stream": "s", "schema": schema, "key_properties": []})
    names = [column.name for column in COLUMNS]
    for number in range(count):
        record = dict(zip(names, map(_plain, _row(number)), strict=True))
        yield _dump({"type": "RECORD", "stream": "s", "record": record})
    yield _dump({"type": "STATE", "value": {"bookmarks": {"s": {"last_sync_time": 1}}}})


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return f"{value.isoformat(timespec='milliseconds')}Z"
    if isinstance(value, UUID):
        return str(value).upper()
    return float(value) if isinstance(value, Decimal) else value


def _dump(message: dict[str, Any]) -> str:
    return json.dumps(message, ensure_ascii=False, separators=(",", ":"))
