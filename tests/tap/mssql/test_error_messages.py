"""A driver's error text gives an error number and a safe message."""

from __future__ import annotations

import pytest

from tap_mssql_query.mssql.error_messages import UNREADABLE_TYPE, error_number, safe_message

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


VALUE = "ada@example.com"
WITH_VALUES = {
    220: "Arithmetic overflow error for data type smallint, value = ada@example.com.",
    232: "Arithmetic overflow error for type int, value = ada@example.com.",
    244: "The conversion of the varchar value 'ada@example.com' overflowed an INT2 column.",
    245: "Conversion failed when converting the nvarchar value 'ada@example.com' to data type int.",
    248: "The conversion of the nvarchar value 'ada@example.com' overflowed an int column.",
    2601: "Cannot insert duplicate key row. The duplicate key value is (ada@example.com).",
    2627: "Violation of UNIQUE KEY constraint. The duplicate key value is (ada@example.com).",
    2628: "String or binary data would be truncated. Truncated value: 'ada@example.com'.",
    6522: 'A .NET Framework error occurred during "f": System.Exception: ada@example.com',
    8114: "Error converting data type nvarchar to ada@example.com.",
    8115: "Arithmetic overflow error converting ada@example.com to data type int.",
    9455: "XML parsing: line 1, character 2, illegal qualified name character ada@example.com",
    13609: "JSON text is not properly formatted. Unexpected character 'ada@example.com' is found.",
    17001: "ada@example.com",
    50000: "Customer ada@example.com is blocked.",
}
"""Texts of sys.messages, shortened, with a canary for each value."""
DISGUISES = [
    f"Invalid object name '{VALUE}",
    f"{VALUE} (208) (SQLExecDirectW)",
    f"'{VALUE}' (208);",
    f"{VALUE} is not yet supported",
    f"deadlocked on {VALUE}",
]
"""Values that look like what a reader looks for in an error."""


@pytest.mark.parametrize("number", WITH_VALUES)
def test_values_are_not_shown(number: int) -> None:
    """Only words of numbers that quote no value are shown; with other texts, our own."""
    text = WITH_VALUES[number]
    for driver_text in (f"{PYODBC}{text} ({number}) (SQLFetch)", f"[Microsoft][SQL Server]{text}"):
        for known in (number, error_number(driver_text)):
            assert VALUE not in safe_message(driver_text, known)
    assert f"SQL Server error {number}: " in safe_message(text, number)


@pytest.mark.parametrize("value", DISGUISES)
def test_value_is_not_taken_for_an_error(value: str) -> None:
    """A value that holds a number, or the words of another error, shows nothing."""
    text = f"Conversion failed when converting the nvarchar value '{value}' to data type int."
    for driver_text in (f"{PYODBC}{text} (245) (SQLFetch)", f"[Microsoft][SQL Server]{text}"):
        number = error_number(driver_text)
        assert number in (245, None)
        assert VALUE not in safe_message(driver_text, number)


def test_further_records_are_not_shown() -> None:
    """Only the record whose number is known is shown."""
    text = f"{PYODBC}Divide by zero. (8134) (SQLFetch); {PYODBC}It was {VALUE} (50000)"
    assert safe_message(text, error_number(text)) == "SQL Server error 8134: Divide by zero."


@pytest.mark.parametrize("number", [206, 8115])
def test_datetime_compared_with_seconds_has_a_remedy(number: int) -> None:
    """The message names the variable that avoids the common mistake with last_sync_time."""
    assert "{{last_sync_datetime}}" in safe_message("Operand type clash", number)


@pytest.mark.parametrize(
    ("text", "is_type"),
    [
        ("ODBC SQL type -150 is not yet supported.  column-index=1  type=-150", True),
        ("Unsupported data type for Arrow: -150", True),
        ("TOP # PERCENT is not yet supported", False),
    ],
)
def test_only_drivers_speak_of_types(text: str, is_type: bool) -> None:
    """A server that does not know some syntax keeps its own words."""
    message = safe_message(text, None)
    assert (message == UNREADABLE_TYPE, message == text) == (is_type, not is_type)
