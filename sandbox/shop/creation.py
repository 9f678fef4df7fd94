"""Creates the sample shop in an engine: database, logins, tables, rows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from sandbox.shop.sample_rows import table_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

DATABASE = "shop"
ADMINISTRATOR = "sa"
READER = "reader"
PASSWORD = "Sandbox-1"

_SCHEMA = Path(__file__).with_name("schema.sql")


class ShopEngine(Protocol):
    """The part of an engine that the shop uses."""

    def create_database(self, name: str) -> object:
        """Create an empty database."""

    def add_login(self, name: str, password: str, role: str = ...) -> object:
        """Add a login; a `reader` may only SELECT."""

    def run(self, database: str, tsql: str) -> object:
        """Run a T-SQL batch."""

    def load(self, database: str, table: str, rows: Sequence[Sequence[Any]]) -> object:
        """Bulk-insert rows."""


def create_shop(engine: ShopEngine) -> None:
    """Create the database `shop` with its rows, and the login `reader`, which may only SELECT."""
    create_empty_shop(engine)
    for table, rows in table_rows().items():
        engine.load(DATABASE, table, rows)


def create_empty_shop(engine: ShopEngine) -> None:
    """Create the database `shop` with empty tables, and the login `reader`."""
    engine.create_database(DATABASE)
    engine.add_login(READER, PASSWORD, role="reader")
    engine.run(DATABASE, _SCHEMA.read_text(encoding="utf-8"))
