"""The engine: databases, logins, bulk loads and sessions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sandbox.sql_server.engine.catalog.instance import MASTER, Instance
from sandbox.sql_server.engine.catalog.permissions import ADMINISTRATOR, READER
from sandbox.sql_server.engine.execution.bulk_load import load_rows
from sandbox.sql_server.engine.session import DuckDBSession
from sandbox.sql_server.results import ResultSet, SqlError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_ADMINISTRATOR_LOGIN = "sa"
_ADMINISTRATOR_PASSWORD = "Sandbox-1"


def _now() -> datetime:
    return datetime.now(UTC)


class DuckDBEngine:
    """Runs T-SQL over in-memory databases; `clock` returns the current time, aware, in UTC."""

    def __init__(self, clock: Callable[[], datetime] | None = None) -> None:
        self._instance = Instance(clock or _now)
        self._instance.create_database(MASTER)
        self.add_login(_ADMINISTRATOR_LOGIN, _ADMINISTRATOR_PASSWORD, role=ADMINISTRATOR)

    def create_database(self, name: str) -> None:
        """Create an empty database. Raises SqlError 1801 if it exists."""
        self._instance.create_database(name)

    def add_login(self, name: str, password: str, role: str = READER) -> None:
        """Add a login: a `reader` may SELECT, an `administrator` may do everything."""
        self._instance.add_login(name, password, role)

    def login(self, username: str, password: str, database: str) -> DuckDBSession:
        """Open a session.

        Raises:
            SqlError: 18456 wrong credentials, 4060 unknown database.
        """
        login = self._instance.check_login(username, password)
        if not database:
            return DuckDBSession(self._instance, login, self._instance.default_database())
        found = self._instance.databases.get(database.lower())
        if found is None:
            message = f'Cannot open database "{database}" requested by the login. The login failed.'
            raise SqlError(4060, message, severity=11)
        return DuckDBSession(self._instance, login, found)

    def run(self, database: str, tsql: str) -> list[Sequence[Any]]:
        """Run a batch as administrator; returns the rows of its last result set.

        Raises:
            SqlError: the first error of the batch.
        """
        session = self.login(_ADMINISTRATOR_LOGIN, self._password(), database)
        rows: list[Sequence[Any]] = []
        try:
            for result in session.execute(tsql):
                if isinstance(result, SqlError):
                    raise result
                if isinstance(result, ResultSet):
                    rows = list(result.rows)
        finally:
            session.close()
        return rows

    def _password(self) -> str:
        return self._instance.logins[_ADMINISTRATOR_LOGIN].password

    def load(self, database: str, table: str, rows: Iterable[Sequence[Any]]) -> None:
        """Bulk-insert rows: values for all columns in order, typed as `results` describes.

        A value for an IDENTITY column is kept; None takes the next one.

        Raises:
            SqlError: unknown table, or a row violates a constraint.
        """
        load_rows(self._instance, database, table, rows)
