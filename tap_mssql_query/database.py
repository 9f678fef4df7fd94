"""Opens sessions with SQL Server: connection string, driver, manners; reads the server's clock."""

from __future__ import annotations

import importlib.util
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING

from tap_mssql_query.column_types import Column, kind_of_sql_type, mark_json
from tap_mssql_query.errors import ConfigurationError, ConnectionFailed
from tap_mssql_query.readers import Session

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tap_mssql_query.settings import DatabaseSettings, TapSettings

APPLICATION_NAME = "tap-mssql-query"

_MANNERS = "SET NOCOUNT ON; SET LOCK_TIMEOUT 60000; SET DEADLOCK_PRIORITY LOW;"
"""Wait a minute for a lock at most; in a deadlock, be the one that gives way."""


def connect(database: DatabaseSettings, settings: TapSettings) -> Session:
    """A polite session. Raises ConnectionFailed, which names the server but no credentials."""
    try:
        session = _open(database, settings)
    except ConnectionFailed as error:
        hint = "" if error.number else " Check `host`, `port`, `encrypt`, and the firewall."
        message = f"Cannot connect to {database.label}. {error}{hint}"
        raise ConnectionFailed(message, number=error.number, sqlstate=error.sqlstate) from error
    session.run(_MANNERS)
    return session


def server_time(session: Session) -> int:
    """The server's clock in whole unix seconds, rounded down. Raises QueryFailed."""
    ((now,),) = session.fetch_all("SELECT SYSUTCDATETIME()")
    return int(now.replace(tzinfo=UTC).timestamp())


def describe_columns(session: Session, sql: str, json_columns: Sequence[str]) -> list[Column]:
    """The columns of a query, without running it. Raises QueryFailed.

    Source: sp_describe_first_result_set, SQL Server 2012 and newer. It cannot describe queries
    that use temporary tables or dynamic SQL.
    """
    quoted = sql.replace("'", "''")
    rows = session.fetch_all(f"EXEC sp_describe_first_result_set @tsql = N'{quoted}'")
    return [
        mark_json(Column(name or "", kind_of_sql_type(type_name or "")), json_columns)
        for is_hidden, _ordinal, name, _is_nullable, _type_id, type_name, *_ in rows
        if not is_hidden
    ]


def _open(database: DatabaseSettings, settings: TapSettings) -> Session:
    keywords = _keywords_of(database)
    if settings.reader != "odbc":
        from tap_mssql_query.readers import arrow  # noqa: PLC0415 - loads a native driver

        return Session(arrow.DRIVER, connection_string(keywords))
    from tap_mssql_query.readers import odbc  # noqa: PLC0415 - loads unixODBC

    driver = settings.odbc_driver or _find_odbc_driver()
    own = {"Driver": driver, "APP": APPLICATION_NAME}
    return Session(odbc.DRIVER, connection_string({**own, **keywords}))


def connection_string(keywords: Mapping[str, str]) -> str:
    """ODBC connection string; every value in braces, closing braces doubled, so none can end it.

    Source: ODBC's SQLDriverConnect, "Driver Specific Connection Information".
    """
    return "".join(f"{name}={{{value.replace('}', '}}')}}};" for name, value in keywords.items())


def _keywords_of(database: DatabaseSettings) -> dict[str, str]:
    optional = {
        "Database": database.database,
        "UID": database.username,
        "PWD": database.password,
        "Authentication": database.authentication,
    }
    return {
        "Server": f"{database.host},{database.port}",
        "Encrypt": database.encrypt,
        "TrustServerCertificate": "yes" if database.trust_server_certificate else "no",
        "ApplicationIntent": database.application_intent,
        **{name: str(value) for name, value in database.connection_options.items()},
        **{name: value for name, value in optional.items() if value is not None},
    }


def _find_odbc_driver() -> str:
    """A registered Microsoft driver, else the one inside mssql-python's wheels.

    Raises ConfigurationError where there is none.
    """
    import pyodbc  # noqa: PLC0415 - loads unixODBC

    registered = [name for name in pyodbc.drivers() if "SQL Server" in name]
    if registered:
        return str(max(registered))
    bundled = _bundled_drivers()
    if not bundled:
        raise ConfigurationError(
            "No ODBC driver for SQL Server is registered. Set `odbc_driver`, or `reader` to arrow."
        )
    return str(bundled[0])


def _bundled_drivers() -> list[Path]:
    spec = importlib.util.find_spec("mssql_python_odbc")
    folders = spec.submodule_search_locations if spec else None
    return sorted(
        path
        for folder in folders or ()
        for path in Path(folder).glob("libs/linux/debian_ubuntu/*/lib/libmsodbcsql*.so*")
    )
