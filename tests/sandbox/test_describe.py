from __future__ import annotations

import pytest

from sandbox.sql_server.data_types.registry import TYPE_NAMES
from sandbox.sql_server.requests.first_result_set import COLUMNS, describe_rows, type_text
from sandbox.sql_server.results import Column, SqlType
from tests.sandbox.recorded import response_to


def _described(sql_type: SqlType, *, nullable: bool = True) -> dict[str, object]:
    (row,) = describe_rows([Column("c", sql_type, nullable=nullable)]).rows
    return dict(zip([column.name for column in COLUMNS], row, strict=True))


def test_columns_are_those_of_a_recorded_response():
    """Names and order of the columns are those of a real server."""
    response = response_to("odbc18-describe", "SQL_BATCH")

    positions = [response.find(column.name.encode("utf-16le")) for column in COLUMNS]

    assert len(COLUMNS) == int.from_bytes(response[1:3], "little")
    assert -1 not in positions
    assert positions[1:3] == sorted(positions[1:3])


TYPES = [
    (SqlType("int"), "int", 56, 4, 10, 0),
    (SqlType("nvarchar", 50), "nvarchar(50)", 231, 100, 0, 0),
    (SqlType("nvarchar", None), "nvarchar(max)", 231, -1, 0, 0),
    (SqlType("varbinary", 8), "varbinary(8)", 165, 8, 0, 0),
    (SqlType("decimal", precision=12, scale=2), "decimal(12,2)", 106, 9, 12, 2),
    (SqlType("datetime2", scale=7), "datetime2(7)", 42, 8, 27, 7),
    (SqlType("datetime2", scale=3), "datetime2(3)", 42, 7, 23, 3),
    (SqlType("datetime2", scale=0), "datetime2(0)", 42, 6, 19, 0),
    (SqlType("time", scale=0), "time(0)", 41, 3, 8, 0),
    (SqlType("datetimeoffset", scale=7), "datetimeoffset(7)", 43, 10, 34, 7),
    (SqlType("money"), "money", 60, 8, 19, 0),
]


@pytest.mark.parametrize(("sql_type", "text", *"abcd"), TYPES, ids=[case[1] for case in TYPES])
def test_type_is_described_as_sql_server_does(sql_type, text, a, b, c, d):
    """Each type has its name, number, length in bytes, precision and scale."""
    row = _described(sql_type)

    assert row["system_type_name"] == text
    keys = ("system_type_id", "max_length", "precision", "scale")
    assert tuple(row[key] for key in keys) == (a, b, c, d)


ALIASES_AND_CLR_TYPES = {"sysname", "rowversion", "hierarchyid", "geography", "geometry"}


@pytest.mark.parametrize("name", sorted(TYPE_NAMES - ALIASES_AND_CLR_TYPES))
def test_every_type_has_a_description(name):
    """Every type that a query may return can be described."""
    sql_type = SqlType(name, length=1, precision=1)

    assert type_text(sql_type).startswith(name)
    assert _described(sql_type)["column_ordinal"] == 1


def test_nullability_is_described():
    """NOT NULL columns are described as such."""
    assert _described(SqlType("int"), nullable=False)["is_nullable"] is False
