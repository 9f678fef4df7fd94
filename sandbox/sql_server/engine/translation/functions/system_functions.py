"""Functions and variables about the server, login and session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.sql_server.engine.catalog.application_locks import MODES, ApplicationLock
from sandbox.sql_server.engine.catalog.object_names import ObjectName, parse_object_name
from sandbox.sql_server.engine.catalog.schema_objects import FIRST_OBJECT_ID, SCHEMA, Table
from sandbox.sql_server.engine.values.literals import literal
from sandbox.sql_server.engine.values.sql_types import INT, SYSNAME
from sandbox.sql_server.results import SqlError, SqlType

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.sql_server.engine.catalog.execution_context import ExecutionContext
    from sandbox.sql_server.engine.translation.functions.function_call import Function, FunctionCall
    from sandbox.sql_server.engine.values.typed_sql import TypedSql

VERSION = "16.0.4135.4"
SERVER_NAME = "sandbox"
_EDITION = "Developer Edition (64-bit)"
VERSION_TEXT = f"Microsoft SQL Server 2022 (RTM-CU14) - {VERSION} (X64) \n\tSandbox {_EDITION}"
_PROPERTIES: Mapping[str, object] = {
    "productversion": VERSION, "productmajorversion": "16", "productminorversion": "0",
    "productlevel": "RTM", "edition": _EDITION, "engineedition": 3, "servername": SERVER_NAME,
    "machinename": SERVER_NAME, "collation": "SQL_Latin1_General_CP1_CI_AS",
    "isintegratedsecurityonly": 0, "isclustered": 0, "ishadrenabled": 0,
}  # fmt: skip
_TEXT = SqlType("nvarchar", 128)


def global_variable(name: str, context: ExecutionContext) -> TypedSql:
    """The value of `@@NAME`.

    Raises:
        SqlError: 137, unknown variable.
    """
    counter = context.global_variable(name)
    if counter is not None:
        return literal(counter, SqlType("smallint") if name.upper() == "SPID" else INT)
    if name.upper() == "IDENTITY":
        return literal(context.last_identity, SqlType("numeric", precision=38))
    texts = {"VERSION": VERSION_TEXT, "SERVERNAME": SERVER_NAME, "LANGUAGE": "us_english",
             "SERVICENAME": "MSSQLSERVER"}  # fmt: skip
    if name.upper() in texts:
        return literal(texts[name.upper()], SqlType("nvarchar", 300))
    raise SqlError(137, f'Must declare the scalar variable "@@{name}".', severity=15)


def _property(call: FunctionCall) -> TypedSql:
    call.check_count(1)
    value = _PROPERTIES.get(str(call.argument(0).constant).lower())
    return literal(value, SqlType("sql_variant"))


def _database_name(call: FunctionCall) -> TypedSql:
    if not call.nodes:
        return literal(call.context.database, _TEXT)
    number = call.argument(0).constant
    names = [d.name for d in call.context.databases.values() if d.number == number]
    return literal(names[0] if names else None, _TEXT)


def _database_id(call: FunctionCall) -> TypedSql:
    name = str(call.argument(0).constant) if call.nodes else ""
    database = call.context.find_database(name)
    return literal(database.number if database else None, INT)


def _login_name(call: FunctionCall) -> TypedSql:
    return literal(call.context.login, _TEXT)


def _user_name(call: FunctionCall) -> TypedSql:
    return literal(call.context.permissions.user_name, _TEXT)


def _schema_name(_: FunctionCall) -> TypedSql:
    return literal(SCHEMA, _TEXT)


def _application_name(_: FunctionCall) -> TypedSql:
    return literal("", _TEXT)


def _is_server_role_member(call: FunctionCall) -> TypedSql:
    role = str(call.argument(0).constant).lower()
    if role == "public":
        return literal(1, INT)
    if role not in ("sysadmin", "securityadmin", "serveradmin", "setupadmin", "dbcreator"):
        return literal(None, INT)
    return literal(int(call.context.permissions.is_administrator), INT)


def _is_member(call: FunctionCall) -> TypedSql:
    role = str(call.argument(0).constant).lower()
    is_administrator = call.context.permissions.is_administrator
    if role in ("db_datareader", "public"):
        return literal(1, INT)
    if role in ("db_owner", "db_datawriter", "db_ddladmin", "db_securityadmin"):
        return literal(int(is_administrator), INT)
    return literal(None, INT)


def _has_permission(call: FunctionCall) -> TypedSql:
    """HAS_PERMS_BY_NAME(securable, class, permission)."""
    call.check_count(3, 5)
    securable, kind, permission = (call.argument(index).constant for index in range(3))
    permissions = call.context.permissions
    kind = str(kind or "SERVER").upper()
    if kind == "SERVER":
        allowed = permissions.is_administrator or str(permission).upper() == "CONNECT SQL"
        return literal(int(allowed), INT)
    if kind == "DATABASE":
        if call.context.find_database(str(securable or "")) is None:
            return literal(None, INT)
        return literal(int(permissions.has(str(permission))), INT)
    name = parse_object_name(str(securable))
    found = call.context.find(name)
    if found is None:
        return literal(None, INT)
    database = (name.database or call.context.database).lower()
    key = (database, found.schema.lower(), found.name.lower())
    return literal(int(permissions.has(str(permission), key)), INT)


def _object_id(call: FunctionCall) -> TypedSql:
    name = parse_object_name(str(call.argument(0).constant))
    name = ObjectName(name.name, name.schema, "" if name.is_temporary else name.database)
    found = call.context.find(name)
    wanted = str(call.argument(1).constant).upper() if len(call.nodes) > 1 else ""
    kind = "U" if isinstance(found, Table) else "V"
    if found is None or wanted not in ("", kind):
        return literal(None, INT)
    database = call.context.find_database(name.database)
    entries = database.objects.all() if database else []
    number = entries.index(found) + 1 if found in entries else 0
    return literal(FIRST_OBJECT_ID + number, INT)


def _lock_test(call: FunctionCall) -> TypedSql:
    """APPLOCK_TEST(principal, resource, mode, owner)."""
    call.check_count(4)
    wanted = _hold(call, str(call.argument(2).constant).lower())
    return literal(int(call.context.locks.is_grantable(wanted)), SqlType("smallint"))


def _hold(call: FunctionCall, mode: str) -> ApplicationLock:
    context = call.context
    if mode not in MODES:
        raise SqlError(1035, f"Incorrect syntax near '{mode}'.", severity=15)
    resource = lock_resource(context.database, str(call.argument(1).constant))
    return ApplicationLock(resource, mode, context.session_id, is_of_transaction=False)


def lock_resource(database: str, name: str) -> str:
    """An application lock's resource, which is local to its database."""
    return f"{database.lower()}\0{name}"


def _lock_mode(call: FunctionCall) -> TypedSql:
    """APPLOCK_MODE(principal, resource, owner)."""
    call.check_count(3)
    context = call.context
    resource = lock_resource(context.database, str(call.argument(1).constant))
    mode = context.locks.held_mode(resource, context.session_id)
    names = {"intentshared": "IntentShared", "intentexclusive": "IntentExclusive"}
    return literal(names.get(mode, mode.capitalize()) if mode else "NoLock", SYSNAME)


def _caught(call: FunctionCall) -> TypedSql:
    """ERROR_NUMBER, ERROR_MESSAGE and so on, of the error that CATCH handles."""
    error = call.context.caught_error
    if call.name == "ERROR_MESSAGE":
        return literal(error.message if error else None, SqlType("nvarchar", 4000))
    values = {
        "ERROR_NUMBER": lambda e: e.number,
        "ERROR_SEVERITY": lambda e: e.severity,
        "ERROR_STATE": lambda e: e.state,
        "ERROR_LINE": lambda e: e.line,
    }
    return literal(values[call.name](error) if error else None, INT)


def _last_identity(call: FunctionCall) -> TypedSql:
    return literal(call.context.last_identity, SqlType("numeric", precision=38))


FUNCTIONS: Mapping[str, Function] = {
    "SERVERPROPERTY": _property,
    "DB_NAME": _database_name,
    "DB_ID": _database_id,
    **dict.fromkeys(("SUSER_SNAME", "SUSER_NAME", "ORIGINAL_LOGIN", "SYSTEM_USER"), _login_name),
    **dict.fromkeys(("USER_NAME", "USER"), _user_name),
    "SCHEMA_NAME": _schema_name,
    "APP_NAME": _application_name,
    "IS_SRVROLEMEMBER": _is_server_role_member,
    **dict.fromkeys(("IS_MEMBER", "IS_ROLEMEMBER"), _is_member),
    "HAS_PERMS_BY_NAME": _has_permission,
    "OBJECT_ID": _object_id,
    "APPLOCK_TEST": _lock_test,
    "APPLOCK_MODE": _lock_mode,
    **dict.fromkeys(
        ("ERROR_NUMBER", "ERROR_SEVERITY", "ERROR_STATE", "ERROR_LINE", "ERROR_MESSAGE"), _caught
    ),
    "SCOPE_IDENTITY": _last_identity,
}
