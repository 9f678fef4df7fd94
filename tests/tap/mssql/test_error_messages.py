"""A driver's error text gives an error number and a safe message."""

from __future__ import annotations

import pytest

from tap_mssql_query.mssql.error_messages import error_number, safe_message

OWN = " [Microsoft][ODBC Driver 18 for SQL Server]"
PYODBC = f"{OWN}[SQL Server]"


@pytest.mark.parametrize(
    ("text", "number"),
    [
        (f"{PYODBC}Invalid object name 'x'. (208) (SQLExecDirectW)", 208),
        (f"{PYODBC}Login failed for user 'x'. (18456) (SQLDriverConnect)", 18456),
        ("[Microsoft][SQL Server]Invalid object name 'x'.", 208),
        ("[Microsoft]Login timeout expired (0) (SQLDriverConnect)", None),
        ("[Microsoft]TCP Provider: Error code 0x2749", None),
        (f"{OWN}TCP Provider: Error code 0x68 (104) (SQLExecDirectW)", None),
        (f"{OWN}Client unable to establish connection (26) (SQLDriverConnect)", None),
    ],
)
def test_number_is_found(text: str, number: int | None) -> None:
    """SQL Server's number is found in the texts of both drivers; a driver's own error has none."""
    assert error_number(text) == number


def test_names_are_shown() -> None:
    """Errors that quote names keep them: they say what to correct."""
    text = f"{PYODBC}Invalid column name 'emial'. (207) (SQLExecDirectW)"
    assert safe_message(text, 207) == "SQL Server error 207: Invalid column name 'emial'."


@pytest.mark.parametrize("number", [245, 2627, 50000, 8114])
def test_values_are_not_shown(number: int) -> None:
    """Values that an error may quote are removed."""
    text = f"{PYODBC}Conversion failed when converting the value 'ada@example.com' ({number}) (SQL)"
    message = safe_message(text, number)
    assert "ada" not in message
    assert f"error {number}: Conversion failed" in message


@pytest.mark.parametrize("value", ["ada@example.com", "D'Arc-ada", "'ada", 'a "ada" b', "ada'"])
def test_value_is_not_shown_without_an_error_number(value: str) -> None:
    """mssql-python gives no numbers; quotes within a value do not end what is removed."""
    text = f"[Microsoft][SQL Server]Conversion failed when converting '{value}' to data type int."
    assert safe_message(text, error_number(text)) == (
        "Conversion failed when converting '…' to data type int."
    )


@pytest.mark.parametrize("number", [206, 8115])
def test_datetime_compared_with_seconds_has_a_remedy(number: int) -> None:
    """The message names the variable that avoids the common mistake with last_sync_time."""
    assert "{{last_sync_datetime}}" in safe_message("Operand type clash", number)
