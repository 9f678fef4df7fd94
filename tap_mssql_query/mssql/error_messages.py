"""Turns a driver's error text into SQL Server's error number and a safe message. Pure.

pyodbc appends the native error number, `(208)`. mssql-python leaves it out, so it is recognised by
the English text of the message.
Source of numbers and texts: the view sys.messages.
"""

from __future__ import annotations

import re

_NATIVE_NUMBER = re.compile(r"\((\d+)\)\s*(?:\(SQL\w+\)|;|$)")
# Errors of the driver itself have other numbers: 26, or the system's 104 for a reset.
_DRIVER_ERROR = re.compile(r"\s*\[Microsoft\]\[ODBC Driver[^\]]*\](?!\[SQL Server\])")
_NOISE = re.compile(
    r"\[(?:Microsoft|unixODBC|FreeTDS|ODBC Driver[^\]]*|SQL Server|Driver Manager)\]"
)

_NUMBERS_BY_TEXT = (
    ("Cannot open database", 4060),
    ("The login is from an untrusted domain", 18452),
    ("Reason: The account is disabled", 18470),
    ("currently locked out", 18486),
    ("password of the account has expired", 18487),
    ("password of the account must be changed", 18488),
    ("Cannot open user default database", 4064),
    ("is not allowed to access the server", 40615),
    ("is not able to access the database", 916),
    ("Login failed for user", 18456),
    ("Invalid object name", 208),
    ("Invalid column name", 207),
    ("Incorrect syntax near", 102),
    ("Operand type clash", 206),
    ("Arithmetic overflow error", 8115),
    ("Divide by zero", 8134),
    ("permission was denied on the object", 229),
    ("deadlocked on", 1205),
    ("Lock request time out period exceeded", 1222),
    ("cannot obtain a LOCK resource", 1204),
    ("Login to read-secondary", 4221),
    ("limit for the database is", 10928),
    ("minimum guarantee is", 10929),
    ("The service has encountered an error processing your request", 40197),
    ("The service is currently busy", 40501),
    ("is not currently available", 40613),
    ("took a dependency on has aborted", 41301),
    ("exceeded the maximum number of commit dependencies", 41839),
    ("Ambiguous column name", 209),
    ("is invalid in the select list", 8120),
    ("attempted to update a record that has been updated", 41302),
    ("repeatable read validation failure", 41305),
    ("serializable validation failure", 41325),
    ("Not enough resources to process request", 49918),
    ("Cannot process create or update request", 49919),
    ("Too many operations in progress", 49920),
)

# Messages of Microsoft's ODBC driver.
_SQLSTATES_BY_TEXT = (
    ("Communication link failure", "08S01"),
    ("an error was encountered during handshakes before login", "08S01"),
    ("TCP Provider: Error code 0x2745", "08S01"),  # aborted
    ("TCP Provider: Error code 0x2746", "08S01"),  # reset
    ("TCP Provider: Error code 0x274C", "08S01"),  # timed out
    ("TCP Provider: Error code 0x68", "08S01"),  # ECONNRESET
    ("TCP Provider: Error code 0x20", "08S01"),  # EPIPE
    ("TCP Provider: Timeout error", "HYT00"),
    ("Login timeout expired", "HYT00"),
    ("Query timeout expired", "HYT00"),
)

_NUMBERS_QUOTING_NAMES = frozenset(
    {102, 105, 156, 206, 207, 208, 209, 229, 916, 2812, 4060, 4064, 8120, 40615}
    | set(range(18450, 18490))
)
"""Errors that quote only names and SQL. Others, such as 245, may quote values of rows."""

_HINTS = {
    # The server sends 18456 together with 4060, and mssql-python shows only that.
    18456: "Check `username` and `password`, and that the login may open `database`.",
    4060: "Check `database`, and that the login may open it.",
    4064: "Set `database`: the login's default database cannot be opened.",
    916: "Check `database`, and that the login has a user in it.",
    976: "Set `application_intent` to ReadOnly, or `host` to the availability group's listener.",
    978: "Set `application_intent` to ReadOnly.",
    18452: "The server takes logins of its own domain only: set `username` and `password`.",
    18470: "The login is disabled: ask the administrator of the server to enable it.",
    18486: "The login is locked: ask the administrator of the server to unlock it.",
    18487: "The password has expired: change it, then set `password`.",
    18488: "The password must be changed before the first login: change it, then set `password`.",
    17809: "The server has no connection left: raise its limit, or run fewer syncs at once.",
    40532: "Check `host` and `username`: this server does not know the login's server name.",
    40615: "Allow this machine's address in the firewall of the Azure server.",
    208: "Check the name, its schema, and that the login may access it.",
    229: "Grant SELECT on it to the login.",
    206: (
        "If the query compares a date-time column with {{last_sync_time}}, which is a number of "
        "seconds, use {{last_sync_datetime}}."
    ),
    8115: (
        "If the query compares a datetime column with {{last_sync_time}}, which is a number of "
        "seconds, use {{last_sync_datetime}}."
    ),
}


UNREADABLE_TYPE = (
    "A column has a type that the driver cannot read, such as sql_variant; CAST it in the query."
)
_UNREADABLE_TEXTS = ("is not yet supported", "Unsupported data type for Arrow")


def error_number(text: str) -> int | None:
    """SQL Server's error number; None if the error is the driver's."""
    if _DRIVER_ERROR.match(text):
        return None
    for match in _NATIVE_NUMBER.finditer(text):
        if match[1] != "0":
            return int(match[1])
    return next((number for part, number in _NUMBERS_BY_TEXT if part in text), None)


def sqlstate_of(text: str) -> str:
    """The SQLSTATE of a connection error, by its text; empty if it is not known."""
    return next((state for part, state in _SQLSTATES_BY_TEXT if part in text), "")


def safe_message(text: str, number: int | None) -> str:
    """One line without anything that may be a value of a row, and a hint what to do."""
    if any(part in text for part in _UNREADABLE_TEXTS):
        return UNREADABLE_TYPE
    message = " ".join(_NATIVE_NUMBER.sub("", _NOISE.sub("", text)).split())
    is_server_s = number is not None or "[SQL Server]" in text
    if is_server_s and number not in _NUMBERS_QUOTING_NAMES:
        # From the first quote to the last: quotes within a value are not doubled.
        message = re.sub(r"'.*'|\".*\"", "'…'", message)
    prefix = f"SQL Server error {number}: " if number is not None else ""
    hint = _HINTS.get(number, "") if number is not None else ""
    return f"{prefix}{message.rstrip('; ')} {hint}".rstrip()
