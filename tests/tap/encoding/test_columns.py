"""Columns of a result and their JSON Schema."""

from __future__ import annotations

import pyarrow as pa
import pytest

from tap_mssql_query.encoding.arrow_columns import columns_of_arrow_schema, kind_of_arrow_type
from tap_mssql_query.encoding.columns import (
    Column,
    ColumnKind,
    find_name_problems,
    json_schema_of,
    kind_of_sql_type,
)
from tap_mssql_query.errors import QueryFailed


@pytest.mark.parametrize(
    ("sql_type", "arrow_type", "kind"),
    [
        ("tinyint", pa.uint8(), ColumnKind.INTEGER),
        ("bigint", pa.int64(), ColumnKind.INTEGER),
        ("bit", pa.bool_(), ColumnKind.BOOLEAN),
        ("decimal(12,2)", pa.decimal128(12, 2), ColumnKind.DECIMAL),
        ("money", pa.decimal128(19, 4), ColumnKind.DECIMAL),
        ("float", pa.float64(), ColumnKind.FLOAT),
        ("real", pa.float32(), ColumnKind.FLOAT),
        ("datetime2(7)", pa.timestamp("us"), ColumnKind.INSTANT),
        ("datetimeoffset(7)", pa.timestamp("us", tz="UTC"), ColumnKind.INSTANT),
        ("date", pa.date32(), ColumnKind.DATE),
        ("time(7)", pa.time64("ns"), ColumnKind.TIME),
        ("nvarchar(max)", pa.large_string(), ColumnKind.TEXT),
        ("uniqueidentifier", pa.large_string(), ColumnKind.TEXT),
        ("varbinary(max)", pa.large_binary(), ColumnKind.BINARY),
        ("geography", pa.large_string(), ColumnKind.TEXT),
    ],
)
def test_described_and_read_columns_agree(
    sql_type: str, arrow_type: pa.DataType, kind: ColumnKind
) -> None:
    """The server's description and the result give the same kind."""
    assert (kind_of_sql_type(sql_type), kind_of_arrow_type(arrow_type)) == (kind, kind)


def test_unknown_arrow_type_is_refused() -> None:
    """A type without a rule is an error, not a guess."""
    with pytest.raises(QueryFailed, match="unsupported column type"):
        kind_of_arrow_type(pa.list_(pa.int8()))


def test_json_columns_take_any_type() -> None:
    """A text column in `json_columns` may contain any JSON; other columns do not change."""
    schema = pa.schema([("a", pa.large_string()), ("b", pa.int32())])
    columns = columns_of_arrow_schema(schema, ["a", "b"])
    assert [column.kind for column in columns] == [ColumnKind.JSON, ColumnKind.INTEGER]
    assert "array" in json_schema_of(columns[0])["type"]


def test_every_column_may_be_null() -> None:
    """Every schema accepts null."""
    for kind in ColumnKind:
        assert "null" in json_schema_of(Column("v", kind))["type"]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["id", "id"], '"id" and "id" cannot be in the same result'),
        (["userId", "x", "UserID"], '"userId" and "UserID" cannot be in the same result'),
        (["id", ""], "Column 2 has no name"),
    ],
)
def test_unusable_names_are_found(names: list[str], message: str) -> None:
    """Duplicate, unnamed and case-colliding columns are reported with the remedy."""
    (problem,) = find_name_problems(names)
    assert message in problem
    assert "AS" in problem
