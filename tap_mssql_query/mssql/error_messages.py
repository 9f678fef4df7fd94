"""Turns a driver's error into SQL Server's error number and a safe message. Pure.

SQL Server's messages may quote values of rows, so that words are shown only of the numbers that are
known to quote none; they may also be in any language. The number decides. pyodbc appends it to the
text, `(208) (SQLExecDirectW)`; mssql-python has it for errors that come before the first row, and
only the text for later ones, whose English beginning then gives the number.
Source of numbers and texts: the view sys.messages.
"""

from __future__ import annotations

import re

_NATIVE_NUMBER = re.compile(r"\((\d+)\)\s*\(SQL\w+\)")
# Errors of the driver itself have other numbers: 26, or the system's 104 for a reset.
_DRIVER_ERROR = re.compile(r"\s*\[Microsoft\]\[ODBC Driver[^\]]*\](?!\[SQL Server\])")
_WITHOUT_NUMBER = "[Microsoft][SQL Server]"
"""How mssql-python's texts begin: what looks like a number there is part of a value."""
_PREFIX = re.compile(
    r"(?:\s*\[(?:Microsoft|unixODBC|FreeTDS|ODBC Driver[^\]]*|SQL Server|Driver Manager)\])*\s*"
)

_NUMBERS_BY_BEGINNING = tuple(
    (re.compile(beginning), number)
    for beginning, number in (
        (r"Cannot open database ", 4060),
        (r"Login failed\. The login is from an untrusted domain", 18452),
        (r"Login failed for user '.*'\. Reason: The account is disabled", 18470),
        (r"Login failed for user '.*' because the account is currently locked out", 18486),
        (r"Login failed for user '.*'\. +Reason: The password of the account has expired", 18487),
        (r"Login failed for user '.*'\. +Reason: The password of the account must be ", 18488),
        (r"Cannot open user default database", 4064),
        (r"Cannot open server '.*' requested by the login\. Client with IP address ", 40615),
        (r"The server principal \S+ is not able to access the database", 916),
        (r"Login failed for user", 18456),
        (r"Invalid object name", 208),
        (r"Invalid column name", 207),
        (r"Incorrect syntax near", 102),
        (r"Operand type clash", 206),
        (r"Arithmetic overflow error converting", 8115),
        (r"Divide by zero", 8134),
        (r"Conversion failed when converting the", 245),
        (r"Error converting data type", 8114),
        (r"The \S+ permission was denied on the object", 229),
        (r"Transaction \(Process ID \d+\) was deadlocked on", 1205),
        (r"Lock request time out period exceeded", 1222),
        (r"The (instance of the )?SQL Server Database Engine cannot obtain a LOCK resource", 1204),
        (r"Login to read-secondary", 4221),
        (r"Resource ID ?: \d+\. The .{1,40} limit for the database is", 10928),
        (r"Resource ID ?: \d+\. The .{1,40} minimum guarantee is", 10929),
        (r"The service has encountered an error processing your request", 40197),
        (r"The service is currently busy", 40501),
        (r"Database '.*' on server '.*' is not currently available", 40613),
        (r"A previous transaction that the current transaction took a dependency on", 41301),
        (r"The current transaction attempted to update a record that has been updated", 41302),
        (r"The current transaction failed to commit due to a repeatable read", 41305),
        (r"The current transaction failed to commit due to a serializable", 41325),
        (r"Transaction exceeded the maximum number of commit dependencies", 41839),
        (r"Ambiguous column name", 209),
        (r"Column '\S+' is invalid in the select list", 8120),
        (r"Cannot process request\. Not enough resources", 49918),
        (r"Cannot process create or update request", 49919),
        (r"Cannot process request\. Too many operations in progress", 49920),
        (r"The metadata could not be determined", 11526),
    )
)
"""Each is matched at the start of a text: anything may stand in a value that it quotes."""

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

_NUMBERS_WITHOUT_VALUES = frozenset(
    {
        *(102, 104, 105, 107, 113, 116, 120, 121, 130, 137, 141, 144, 145, 147, 156, 164, 174),
        *(189, 195, 201, 205, 206, 207, 208, 209, 213, 229, 230, 240, 241, 242, 257, 262, 297),
        *(300, 306, 319, 402, 421, 468, 512, 529, 530, 601, 701, 802, 916, 927, 976, 978, 983),
        *(1033, 1105, 1204, 1205, 1222, 2812, 3952, 3960, 4060, 4064, 4104, 4121, 4145, 4221),
        *(8116, 8117, 8120, 8121, 8134, 8144, 8152, 8155, 8156, 8623, 8632, 8645, 8651, 9002),
        *(10928, 10929, 17809, *range(18450, 18490), 40197, 40501, 40532, 40613, 40615, 41301),
        *(41302, 41305, 41325, 41839, 49918, 49919, 49920, *range(11500, 11559)),
    }
)
"""Errors whose texts quote at most names, types and the query itself."""

_OVERFLOW = "Arithmetic overflow error: a number does not fit its data type."
_CONVERSION = (
    "Conversion failed: a value does not fit the data type that the query wants. Find the rows "
    "with TRY_CAST, or use it in the query."
)
_DUPLICATE = "A key would be duplicated."
_TOO_LONG = "A text or binary value would be truncated."
_OWN_WORDS = {
    **dict.fromkeys((220, 232, 236, 237, 238, 1007, 8115), _OVERFLOW),
    **dict.fromkeys((235, 244, 245, 248, 293, 295, 6355, 8114, 8169, 9807, 9819), _CONVERSION),
    **dict.fromkeys((1505, 2601, 2627), _DUPLICATE),
    2628: _TOO_LONG,
    6522: "A .NET routine of the database failed.",
    13609: "A text is not JSON.",
    **dict.fromkeys(range(9400, 9460), "A text is not XML."),
}
"""Our words for common errors whose texts quote values."""
_FIRST_USER_ERROR = 50000
_USER_ERROR = "An error that the database's own code raises."
_NOT_SHOWN = (
    "The server's text is not shown, because it may quote values of rows. Run the query in another "
    "program to see it."
)

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
_UNREADABLE_TEXT = re.compile(
    r"SQL type -?\d+ is not yet supported|Unsupported data type for Arrow"
)
"""Of pyodbc and mssql-python. Servers, such as Babelfish, say of syntax that it "is not yet
supported"."""


def error_number(text: str) -> int | None:
    """SQL Server's error number; None if the error is the driver's, or the number is not known."""
    if _DRIVER_ERROR.match(text):
        return None
    numbers = {int(match[1]) for match in _NATIVE_NUMBER.finditer(text)}
    if numbers and not text.startswith(_WITHOUT_NUMBER):
        # Further ones stand in a value that the text quotes, and tell nothing for certain.
        return (numbers.pop() or None) if len(numbers) == 1 else None
    message = _without_prefix(text)
    return next(
        (number for beginning, number in _NUMBERS_BY_BEGINNING if beginning.match(message)), None
    )


def sqlstate_of(text: str) -> str:
    """The SQLSTATE of a connection error, by its text; empty if it is not known."""
    return next((state for part, state in _SQLSTATES_BY_TEXT if part in text), "")


def safe_message(text: str, number: int | None) -> str:
    """One line without anything that may be a value of a row, and a hint what to do."""
    if number is None:
        if "[SQL Server]" in text:
            return f"SQL Server refused it. {_NOT_SHOWN}"
        return UNREADABLE_TYPE if _UNREADABLE_TEXT.search(text) else _first_record(text)
    return f"SQL Server error {number}: {_words_of(text, number)} {_HINTS.get(number, '')}".rstrip()


def _words_of(text: str, number: int) -> str:
    if number in _NUMBERS_WITHOUT_VALUES:
        return _first_record(text)
    return _OWN_WORDS.get(number, _USER_ERROR if number >= _FIRST_USER_ERROR else _NOT_SHOWN)


def _first_record(text: str) -> str:
    """The words of the first of a driver's records; others may follow, with other numbers."""
    match = _NATIVE_NUMBER.search(text)
    words = text[: match.start()] if match else text
    return " ".join(_without_prefix(words).split()).rstrip("; ")


def _without_prefix(text: str) -> str:
    return text[_PREFIX.match(text).end() :]  # type: ignore[union-attr]  # it matches nothing, too
