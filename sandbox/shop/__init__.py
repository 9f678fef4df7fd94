"""A sample shop for the sandbox's SQL Server: tables, rows, syncs, and a day's changes."""

from __future__ import annotations

from sandbox.shop.changes import change_shop
from sandbox.shop.creation import ADMINISTRATOR, DATABASE, PASSWORD, READER, create_shop
from sandbox.shop.syncs import SYNCS

__all__ = [
    "ADMINISTRATOR",
    "DATABASE",
    "PASSWORD",
    "READER",
    "SYNCS",
    "change_shop",
    "create_shop",
]
