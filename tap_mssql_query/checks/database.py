"""Checks a database and its login: the server's version, what the login may do besides reading."""

from __future__ import annotations

from typing import TYPE_CHECKING

from program_kit.findings import Finding, Level

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_mssql_query.mssql.session import Session

_OLDEST_MAJOR_VERSION = 12  # SQL Server 2014

_ABILITIES = {
    "sysadmin": "IS_SRVROLEMEMBER('sysadmin')",
    **{role: f"IS_MEMBER('{role}')" for role in ("db_owner", "db_datawriter", "db_ddladmin")},
    **{
        permission: f"HAS_PERMS_BY_NAME(DB_NAME(), 'DATABASE', '{permission}')"
        for permission in ("INSERT", "UPDATE", "DELETE", "EXECUTE", "ALTER")
    },
}
"""Roles and permissions that a login needs not for reading; the server's answer 1 is yes."""

_FACTS = "CAST(SERVERPROPERTY('ProductVersion') AS nvarchar(128)), DB_NAME()"


def check_database(session: Session, label: str) -> Iterator[Finding]:
    """What is found of the database that a session is in. Raises QueryFailed."""
    abilities = ", ".join(_ABILITIES.values())
    ((version, database, *answers),) = session.fetch_all(f"SELECT {_FACTS}, {abilities}")
    yield Finding(Level.OK, f"{label} is reachable; SQL Server {version}.")
    if int(version.split(".")[0]) < _OLDEST_MAJOR_VERSION:
        yield Finding(
            Level.WARNING, "The server is older than SQL Server 2014 (12.0), the oldest supported."
        )
    found = [name for name, answer in zip(_ABILITIES, answers, strict=True) if answer == 1]
    if found:
        yield Finding(
            Level.WARNING,
            f"The login can do more than read ({', '.join(found)}). Use one that cannot:\n"
            f"{minimal_login(database)}",
        )
    else:
        yield Finding(Level.OK, "The login has no role or database-wide permission to write.")


def minimal_login(database: str) -> str:
    """The statements that create a login which can do nothing but read a database."""
    return (
        "CREATE LOGIN reverse_etl WITH PASSWORD = '<a long password>';\n"
        f"USE [{database.replace(']', ']]')}];\n"
        "CREATE USER reverse_etl FOR LOGIN reverse_etl;\n"
        "GRANT SELECT TO reverse_etl;"
    )
