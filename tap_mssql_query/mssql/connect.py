"""Opens sessions with SQL Server: driver, connection string, SET options; reads its clock."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

from tap_mssql_query.errors import ConfigurationError, ConnectionFailed
from tap_mssql_query.mssql.connection_problems import describe_connection_problem
from tap_mssql_query.mssql.network_probe import find_obstacle
from tap_mssql_query.mssql.odbc_drivers import find_odbc_driver, is_freetds, missing_library_error
from tap_mssql_query.mssql.session import APPLICATION_NAME, Session

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_mssql_query.mssql.session import Driver
    from tap_mssql_query.settings.model import DatabaseSettings, TapSettings

_SESSION_SETTINGS = "SET NOCOUNT ON; SET LOCK_TIMEOUT 60000; SET DEADLOCK_PRIORITY LOW;"
"""Wait at most a minute for a lock; be the victim of a deadlock."""


def connect(database: DatabaseSettings, settings: TapSettings) -> Session:
    """Open a session. Raises ConnectionFailed, which names the server but no credentials."""
    try:
        session = _open(database, settings)
    except ConnectionFailed as error:
        message = f"Cannot connect to {database.label}. {_reason(error, database)}"
        raise ConnectionFailed(message, number=error.number, sqlstate=error.sqlstate) from error
    session.run(_SESSION_SETTINGS)
    return session


def _reason(error: ConnectionFailed, database: DatabaseSettings) -> str:
    """What is in the way, in plain words where they are known."""
    if error.number is not None or error.__cause__ is None:
        return str(error)
    obstacle = find_obstacle(database.host, database.port, database.login_timeout_seconds)
    return (
        obstacle
        or describe_connection_problem(str(error))
        or f"{error} Check `host`, `port`, `encrypt`, and the firewall."
    )


def server_time(session: Session) -> int:
    """The server's clock in whole unix seconds, rounded down. Raises QueryFailed."""
    ((now,),) = session.fetch_all("SELECT SYSUTCDATETIME()")
    return int(now.replace(tzinfo=UTC).timestamp())


def _open(database: DatabaseSettings, settings: TapSettings) -> Session:
    driver, keywords = choose_driver(database, settings)
    return Session(
        driver,
        connection_string(keywords),
        login_timeout_seconds=database.login_timeout_seconds,
        query_timeout_seconds=database.query_timeout_seconds,
        find_obstacle=lambda: find_obstacle(
            database.host, database.port, database.login_timeout_seconds
        ),
    )


def choose_driver(
    database: DatabaseSettings, settings: TapSettings
) -> tuple[Driver, dict[str, str]]:
    """The driver for the `reader` setting; `auto` prefers mssql-python if it can be loaded."""
    if settings.reader != "odbc":
        try:
            from tap_mssql_query.mssql import driver_mssql_python  # noqa: PLC0415 - loads a native driver

            return driver_mssql_python.DRIVER, _keywords_of(database)
        except ImportError as error:
            if settings.reader == "arrow":
                raise missing_library_error("arrow", error) from error
    try:
        from tap_mssql_query.mssql import driver_pyodbc  # noqa: PLC0415 - loads unixODBC
    except ImportError as error:
        raise missing_library_error("odbc", error) from error
    name = settings.odbc_driver or find_odbc_driver(driver_pyodbc.registered_drivers())
    keywords = _keywords_of(database)
    if is_freetds(name):
        _refuse_beyond_freetds(database)
        keywords = _freetds_keywords_of(database)
    return driver_pyodbc.DRIVER, {"Driver": name, "APP": APPLICATION_NAME, **keywords}


def connection_string(keywords: Mapping[str, str]) -> str:
    """ODBC connection string. Values are in braces, closing braces doubled, so none can end it.

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


def _refuse_beyond_freetds(database: DatabaseSettings) -> None:
    """Raise ConfigurationError for settings that FreeTDS would ignore."""
    ignored = [
        name
        for name, is_set in (
            ("`encrypt: strict`", database.encrypt == "strict"),
            ("`authentication`", database.authentication is not None),
            ("`connection_options`", bool(database.connection_options)),
            (
                "`trust_server_certificate: false`",
                database.encrypt != "no" and not database.trust_server_certificate,
            ),
        )
        if is_set
    ]
    if ignored:
        raise ConfigurationError(
            f"The driver FreeTDS ignores {', '.join(ignored)}. Install Microsoft's driver with "
            "`pip install mssql-python-odbc`, or change these settings."
        )


def _freetds_keywords_of(database: DatabaseSettings) -> dict[str, str]:
    """The same as FreeTDS keywords. Source: its user guide, "ODBC connection attributes"."""
    known = {
        "Server": database.host,
        "Port": str(database.port),
        "Database": database.database,
        "UID": database.username,
        "PWD": database.password,
        "TDS_Version": "7.4",
        "ClientCharset": "UTF-8",
        "Encryption": "off" if database.encrypt == "no" else "require",
        "ApplicationIntent": database.application_intent,
    }
    return {name: value for name, value in known.items() if value is not None}
