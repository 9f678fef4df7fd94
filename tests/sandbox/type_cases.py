"""Every SQL Server type: the value that the engine returns, and what a client must read.

One table for all drivers. Where the two differ, the value has the type's full precision, and the
expectation is what Python's types keep of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sandbox.sql_server.data_types.time_types import (
    TICKS_PER_DAY,
    TICKS_PER_SECOND,
    ticks_of_datetime,
)
from sandbox.sql_server.results import Column, SqlType
from tests.sandbox.fake_engine import FakeEngine, table

if TYPE_CHECKING:
    from collections.abc import Callable

_SAME = object()
_INDIA = timezone(timedelta(hours=5, minutes=30))
_WEST = timezone(timedelta(hours=-12))
_EMOJI = "Zoë 😀 日本"
_LONG = 3_000_001  # characters: several chunks of a (max) type, and not a multiple of a chunk


@dataclass(frozen=True)
class Case:
    """A value sent from the engine to the client."""

    name: str
    type: SqlType
    value: Any
    expected: Any


def _case(name: str, sql_type: SqlType, value: Any, expected: Any = _SAME) -> Case:
    title = f"{_declaration(sql_type)} {name}"
    return Case(title, sql_type, value, value if expected is _SAME else expected)


def _declaration(sql_type: SqlType) -> str:
    if sql_type.length is None:
        return f"{sql_type.name}(max)"
    sizes = [str(size) for size in (sql_type.length, sql_type.precision, sql_type.scale) if size]
    return f"{sql_type.name}({','.join(sizes)})" if sizes else sql_type.name


def _same(sql_type: SqlType, **values: Any) -> list[Case]:
    return [_case(name, sql_type, value) for name, value in values.items()]


def _decimal(precision: int, scale: int) -> SqlType:
    return SqlType("decimal", precision=precision, scale=scale)


_NUMBERS = [
    *_same(SqlType("bit"), on=True, off=False),
    *_same(SqlType("tinyint"), min=0, max=255),
    *_same(SqlType("smallint"), min=-(2**15), max=2**15 - 1),
    *_same(SqlType("int"), min=-(2**31), zero=0, max=2**31 - 1),
    *_same(SqlType("bigint"), min=-(2**63), max=2**63 - 1),
    *_same(_decimal(38, 0), of_38_digits=Decimal(10**38 - 1), negative=Decimal(1 - 10**38)),
    *_same(
        _decimal(38, 10),
        of_28_and_10=Decimal("1234567890123456789012345678.0123456789"),
        zero=Decimal("0E-10"),
    ),
    *_same(_decimal(38, 38), fraction=Decimal("-0." + "9" * 38)),
    *_same(_decimal(9, 2), five_bytes=Decimal("-1234567.89")),
    *_same(_decimal(19, 4), nine_bytes=Decimal("123456789012345.6789")),
    *_same(_decimal(28, 6), thirteen_bytes=Decimal("-1234567890123456789012.345678")),
    *_same(SqlType("numeric", precision=12, scale=2), typical=Decimal("19.90")),
    *_same(
        SqlType("money"),
        min=Decimal("-922337203685477.5808"),
        max=Decimal("922337203685477.5807"),
        smallest=Decimal("0.0001"),
    ),
    *_same(SqlType("smallmoney"), min=Decimal("-214748.3648"), max=Decimal("214748.3647")),
    *_same(
        SqlType("float"), max=1.7976931348623157e308, tiny=-2.2250738585072014e-308, third=1 / 3
    ),
    *_same(SqlType("real"), exact=0.5, max=3.4028234663852886e38),
    _case("rounded", SqlType("real"), 0.1, 0.10000000149011612),
]

_TIMES = [
    *_same(SqlType("date"), min=date(1, 1, 1), max=date(9999, 12, 31)),
    *_same(SqlType("time", scale=0), noon=time(12), last=time(23, 59, 59)),
    *_same(SqlType("time", scale=3), milliseconds=time(1, 2, 3, 456000)),
    _case("100 ns", SqlType("time", scale=7), 123_4567, time(0, 0, 0, 123456)),
    _case("last", SqlType("time", scale=7), TICKS_PER_DAY - 1, time(23, 59, 59, 999999)),
    *_same(
        SqlType("datetime"),
        min=datetime(1753, 1, 1),
        max=datetime(9999, 12, 31, 23, 59, 59, 997000),
        third=datetime(2026, 1, 2, 3, 4, 5, 123000),
    ),
    *_same(SqlType("smalldatetime"), min=datetime(1900, 1, 1), max=datetime(2079, 6, 6, 23, 59)),
    *_same(
        SqlType("datetime2", scale=0), min=datetime(1, 1, 1), seconds=datetime(2026, 1, 2, 3, 4, 5)
    ),
    *_same(SqlType("datetime2", scale=3), milliseconds=datetime(2026, 1, 2, 3, 4, 5, 678000)),
    *_same(SqlType("datetime2", scale=7), microsecond=datetime(9999, 12, 31, 23, 59, 59, 999999)),
    _case(
        "100 ns",
        SqlType("datetime2", scale=7),
        ticks_of_datetime(datetime(2026, 1, 2)) + 3 * TICKS_PER_SECOND + 1_234_567,
        datetime(2026, 1, 2, 0, 0, 3, 123456),
    ),
    *_same(
        SqlType("datetimeoffset", scale=7),
        east=datetime(2026, 1, 2, 3, 4, 5, 123456, _INDIA),
        west=datetime(2026, 1, 2, 23, 4, 5, 0, _WEST),
        utc=datetime(2026, 1, 2, 3, 4, 5, 0, UTC),
        max=datetime(9999, 12, 31, 23, 59, 59, 999999, UTC),
    ),
    *_same(SqlType("datetimeoffset", scale=0), seconds=datetime(2026, 1, 2, 3, 4, 5, 0, _INDIA)),
]

_TEXTS = [
    *_same(SqlType("char", 5), padded="ab   ", blank="     "),
    *_same(SqlType("nchar", 5), padded="é😀  "),
    *_same(SqlType("varchar", 50), empty="", ansi="Zoë €", spaces="ab  "),
    *_same(SqlType("varchar", 8000), full="x" * 8000),
    *_same(SqlType("nvarchar", 50), empty="", emoji=_EMOJI),
    *_same(SqlType("nvarchar", 4000), full="é" * 4000),
    *_same(SqlType("sysname"), name="Zoë"),
    *_same(SqlType("varchar", None), empty="", short="é", long="0123456789" * (_LONG // 10)),
    *_same(SqlType("nvarchar", None), empty="", short=_EMOJI, long="é" * _LONG),
    *_same(SqlType("text"), empty="", short="Zoë", long="x" * 100_000),
    *_same(SqlType("ntext"), empty="", short=_EMOJI),
    *_same(SqlType("xml"), short="<a>é😀</a>", long=f"<a>{'x' * 200_000}</a>"),
    *_same(SqlType("uniqueidentifier"), typical=UUID("01473d9d-0cac-44e2-b2ad-09c593e342dc")),
]

_BYTES = [
    *_same(SqlType("binary", 4), padded=b"\1\2\0\0"),
    *_same(SqlType("varbinary", 50), empty=b"", all=bytes(range(50))),
    *_same(SqlType("varbinary", None), empty=b"", short=b"\0\xff", long=bytes(range(256)) * 12_000),
    *_same(SqlType("image"), short=b"\0\xff"),
    *_same(SqlType("hierarchyid"), empty=b"", slash_1=b"\x58"),
    *_same(SqlType("geography"), long=bytes(range(256)) * 40),
    *_same(SqlType("rowversion"), typical=bytes.fromhex("00000000000007d1")),
]

VARIANTS = _same(
    SqlType("sql_variant"),
    int=-5,
    bigint=2**40,
    text=_EMOJI,
    decimal=Decimal("12.50"),
    float=1.5,
    date=date(2026, 1, 2),
    bit=True,
)
CASES = [*_NUMBERS, *_TIMES, *_TEXTS, *_BYTES]
_TYPES = list({case.type: case for case in reversed(CASES)}.values())[::-1]  # one case of each


def _full_row(value_of: Callable[[Case], Any]) -> list[Any]:
    return [value_of(case) for case in _TYPES]


def mixed_rows(value_of: Callable[[Case], Any]) -> list[list[Any]]:
    """Rows of all types: full, empty, every other one NULL, one NULL only, all but one NULL."""
    full = _full_row(value_of)
    none = [None] * len(full)
    every_other = [value if index % 2 else None for index, value in enumerate(full)]
    return [full, none, every_other, [*full[:-1], None], [*none[:-1], full[-1]], full]


def _all_types(*, nullable: bool) -> list[Column]:
    return [Column(case.name, case.type, nullable) for case in _TYPES]


def engine() -> FakeEngine:
    """A server with a query for each case, by its name, and two for tables with every type."""
    single = {
        case.name: table([Column("v", case.type)], [[case.value], [None]])
        for case in (*CASES, *VARIANTS)
    }
    mixed = {
        "nullable": table(_all_types(nullable=True), mixed_rows(lambda case: case.value)),
        "not null": table(_all_types(nullable=False), [_full_row(lambda case: case.value)] * 2),
    }
    return FakeEngine({**single, **mixed})
