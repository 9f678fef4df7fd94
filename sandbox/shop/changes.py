"""The changes in the sample shop between two syncs: T-SQL with the server's time as timestamps.

The timestamps decide which rows the second sync reads. No query selects them, so the calls are
the same on any day.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_NOW = "DATEDIFF_BIG(second, '1970-01-01', SYSUTCDATETIME())"


@dataclass(frozen=True, slots=True)
class Change:
    """A statement, the sync whose rows it changes, and the number of rows."""

    sync: str
    rows: int
    statement: str


CHANGES = (
    Change(
        "users",
        12,
        f"UPDATE users SET msisdn = '+49301234567', last_updated = {_NOW} "
        "WHERE id BETWEEN 101 AND 112",
    ),
    Change(
        "users",
        2,
        "INSERT INTO users (id, email_address, fname, lname, msisdn, last_updated) VALUES "
        f"(9001, N'neu@example.com', N'Käthe', N'Groß', NULL, {_NOW}), "
        f"(9002, NULL, N'🎉', N'Ünal', '+905550001122', {_NOW})",
    ),
    Change(
        "events",
        3,
        "INSERT INTO events (id, event_name, products, total_price, [timestamp]) VALUES "
        "(9001, N'Order Completed', "
        'N\'[{"product_id": "SKU-106", "name": "Moka pot", "quantity": 1, "price": 31.05}]\', '
        f"31.05, {_NOW}), "
        f"(9002, N'Newsletter Opened', NULL, NULL, {_NOW}), "
        f"(101, NULL, NULL, NULL, {_NOW})",  # without a name: a dead letter
    ),
    Change(
        "companies",
        4,
        f"UPDATE companies SET employees = employees + 5, last_updated = {_NOW} "
        "WHERE companyId BETWEEN 5011 AND 5014",
    ),
    Change(
        "pages",
        2,
        "INSERT INTO pages (id, metatitle, url, time_on_page, [timestamp]) VALUES "
        f"(9001, N'Moka pot » 30 % off', N'https://shop.example/p/sku-106', 61.25, {_NOW}), "
        f"(9002, N'Home', N'https://shop.example/', NULL, {_NOW})",
    ),
    Change(
        "screens",
        1,
        "INSERT INTO screens (id, screen_name, session_started, [timestamp]) VALUES "
        f"(9001, N'Basket', '2026-01-02T03:04:05.678', {_NOW})",
    ),
    Change(
        "user_resolution",
        1,
        "INSERT INTO user_resolution (id, old_id, [timestamp]) VALUES "
        f"(9001, 'anon-99001', {_NOW})",
    ),
    Change(
        "subscriptions",
        5,
        "UPDATE subscriptions SET plan_name = N'Família 👪', monthly_price = 14.99, "
        "is_trial = 0, updated_at = SYSUTCDATETIME() WHERE user_id BETWEEN 300 AND 312",
    ),
)


def change_shop(run: Callable[[str], object]) -> dict[str, int]:
    """Execute the changes with `run`, in T-SQL; returns the number of changed rows by sync."""
    changed: dict[str, int] = {}
    for change in CHANGES:
        run(change.statement)
        changed[change.sync] = changed.get(change.sync, 0) + change.rows
    return changed
