"""Checks a database: the server's version, and permissions of the login beyond reading."""

from __future__ import annotations

from typing import TYPE_CHECKING

from program_kit.findings import Finding, Level
from tap_mssql_query.sql.key_range import quote_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tap_mssql_query.mssql.session import Session

_OLDEST_MAJOR_VERSION = 12  # SQL Server 2014

_WRITE_PERMISSIONS = {
    "sysadmin": "IS_SRVROLEMEMBER('sysadmin')",
    **{role: f"IS_MEMBER('{role}')" for role in ("db_owner", "db_datawriter", "db_ddladmin")},
    **{
        permission: f"HAS_PERMS_BY_NAME(DB_NAME(), 'DATABASE', '{permission}')"
        for permission in ("INSERT", "UPDATE", "DELETE", "EXECUTE", "ALTER")
    },
}
"""Roles and permissions beyond reading, each with an expression that is 1 if the login has it."""

_FACTS = "CAST(SERVERPROPERTY('ProductVersion') AS nvarchar(128)), DB_NAME()"


def check_database(session: Session, label: str, queries: Sequence[str]) -> Iterator[Finding]:
    """Findings about the database of a session, which the queries read. Raises QueryFailed."""
    permissions = ", ".join(_WRITE_PERMISSIONS.values())
    ((version, database, *values),) = session.fetch_all(f"SELECT {_FACTS}, {permissions}")
    yield Finding(Level.OK, f"{label} is reachable; SQL Server {version}.")
    if int(version.split(".")[0]) < _OLDEST_MAJOR_VERSION:
        yield Finding(
            Level.WARNING, "The server is older than SQL Server 2014 (12.0), the oldest supported."
        )
    found = [name for name, value in zip(_WRITE_PERMISSIONS, values, strict=True) if value == 1]
    if found:
        yield Finding(
            Level.WARNING,
            f"The login can do more than read ({', '.join(found)}). Use a read-only one:\n"
            f"{login_script(database, queries)}",
        )
    else:
        yield Finding(Level.OK, "The login has no role or database-wide permission to write.")


def login_script(database: str, queries: Sequence[str]) -> str:
    """Statements that create a login which can only read what the queries of a database read."""
    lines = [
        "CREATE LOGIN reverse_etl WITH PASSWORD = '<a long password>';",
        f"USE {quote_name(database)};",
        "CREATE USER reverse_etl FOR LOGIN reverse_etl;",
        *_grants(database, queries),
    ]
    return "\n".join(lines)


def _grants(database: str, queries: Sequence[str]) -> Iterator[str]:
    """A GRANT for each table; for the whole database if the tables of a query are not known.

    Tables of other databases need a user there, and are left out.
    """
    from tap_mssql_query.sql.syntax_tree import find_tables  # noqa: PLC0415 - loads sqlglot, 0.1 s

    names: dict[str, str] = {}
    for query in queries:
        tables = find_tables(query)
        if tables is None:
            yield "GRANT SELECT TO reverse_etl;"
            return
        for catalog, schema, name in tables:
            if catalog.casefold() in ("", database.casefold()):
                full_name = f"{quote_name(schema or 'dbo')}.{quote_name(name)}"
                names.setdefault(full_name.casefold(), full_name)
    yield from (f"GRANT SELECT ON {name} TO reverse_etl;" for name in names.values())
