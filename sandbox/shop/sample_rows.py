"""The rows of the sample shop: deterministic, with timestamps in the past."""

from __future__ import annotations

import json
import random
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sandbox.shop import sample_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

SHOP_OPENED = 1_735_689_600
"""2025-01-01T00:00:00Z; every row is from the following year."""

USERS = 1200
COMPANIES = 90
EVENTS = 2400
PAGES = 1000
SCREENS = 600
USER_RESOLUTIONS = 120
SUBSCRIPTIONS = 300

_YEAR_SECONDS = 365 * 24 * 60 * 60
# datetime2 has no zone
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001
_FIRST_SESSION = datetime(2025, 1, 1, 8)  # noqa: DTZ001
_NAMELESS_EVENTS = (700, 1400, 2100)
_LOST_OLD_ID = 60

Row = tuple[Any, ...]


def table_rows() -> dict[str, Sequence[Row]]:
    """All rows by table, with values in the column order of `schema.sql`."""
    return {
        table: list(rows(random.Random(f"sample shop, {table}")))  # noqa: S311 - sample data
        for table, rows in _TABLES.items()
    }


def products_json(rng: random.Random) -> str:
    """One to three order lines, as a JSON array."""
    return json.dumps(
        [
            {"product_id": sku, "name": name, "quantity": rng.randint(1, 4), "price": float(price)}
            for sku, name, price in rng.sample(sample_names.PRODUCTS, rng.randint(1, 3))
        ],
        ensure_ascii=False,
    )


def _stamps(count: int) -> Iterator[tuple[int, int]]:
    """Numbers from 1, each with a timestamp; timestamps rise through the year."""
    for number in range(1, count + 1):
        yield number, SHOP_OPENED + number * (_YEAR_SECONDS // (count + 1))


def _value_or_null(rng: random.Random, value: Any) -> Any:
    """The value, or NULL in a tenth of cases."""
    return value if rng.random() > 0.1 else None


def _users(rng: random.Random) -> Iterator[Row]:
    for number, stamp in _stamps(USERS):
        yield (
            number,
            _value_or_null(rng, f"user{number}@example.com"),
            rng.choice(sample_names.FIRST_NAMES),
            rng.choice(sample_names.LAST_NAMES),
            _value_or_null(rng, f"+4930{number:07d}"),
            stamp,
        )


def _events(rng: random.Random) -> Iterator[Row]:
    for number, stamp in _stamps(EVENTS):
        user = rng.randint(1, USERS)
        if number in _NAMELESS_EVENTS:  # as from a broken import: these become dead letters
            yield user, None, None, None, stamp
        elif rng.random() < 0.3:
            yield user, "Newsletter Opened", None, None, stamp
        else:
            price = Decimal(rng.randint(500, 50_000)) / 100
            yield user, "Order Completed", products_json(rng), price, stamp


def _companies(rng: random.Random) -> Iterator[Row]:
    for number, stamp in _stamps(COMPANIES):
        name = f"{sample_names.COMPANIES[number % len(sample_names.COMPANIES)]} {number}"
        employees = _value_or_null(rng, rng.randint(1, 5000))
        yield 5000 + number, 1 + number % 2, name, employees, rng.randint(1, USERS), stamp


def _pages(rng: random.Random) -> Iterator[Row]:
    for _, stamp in _stamps(PAGES):
        title, path = rng.choice(sample_names.PAGES)
        seconds = _value_or_null(rng, rng.randint(1, 4000) / 8)
        yield rng.randint(1, USERS), title, f"https://shop.example{path}", seconds, stamp


def _screens(rng: random.Random) -> Iterator[Row]:
    for number, stamp in _stamps(SCREENS):
        started = _FIRST_SESSION + timedelta(hours=14 * number, milliseconds=7 * number)
        name = rng.choice(sample_names.SCREENS)
        yield rng.randint(1, USERS), name, _value_or_null(rng, started), stamp


def _user_resolutions(_: random.Random) -> Iterator[Row]:
    for number, stamp in _stamps(USER_RESOLUTIONS):
        yield number, None if number == _LOST_OLD_ID else f"anon-{number:05d}", stamp


def _subscriptions(rng: random.Random) -> Iterator[Row]:
    for number, stamp in _stamps(SUBSCRIPTIONS):
        plan, price = rng.choice(sample_names.PLANS)
        renews_on = _value_or_null(rng, date(2026, 1, 1) + timedelta(days=number))
        updated_at = _EPOCH + timedelta(seconds=stamp, milliseconds=number)
        yield number * 3, plan, Decimal(price), rng.random() < 0.2, renews_on, updated_at


_TABLES: dict[str, Callable[[random.Random], Iterator[Row]]] = {
    "users": _users,
    "events": _events,
    "companies": _companies,
    "pages": _pages,
    "screens": _screens,
    "user_resolution": _user_resolutions,
    "subscriptions": _subscriptions,
}
