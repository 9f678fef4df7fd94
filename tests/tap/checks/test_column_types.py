"""Findings about types and ids of columns."""

from __future__ import annotations

import pytest

from program_kit.findings import Level
from tap_mssql_query.checks.column_types import check_column_types, check_ids
from tap_mssql_query.mssql.describe import DescribedColumn


@pytest.mark.parametrize(
    ("name", "sql_type", "level", "part"),
    [
        ("plan", "sql_variant", Level.ERROR, "CAST(plan AS nvarchar(4000)) AS [plan]"),
        ("userId", "uniqueidentifier", Level.OK, "LOWER(CAST(userId AS char(36))) AS [userId]"),
        ("GROUPID", "uniqueidentifier", Level.OK, "capitals"),
        ("previousId", "uniqueidentifier", Level.OK, "capitals"),
    ],
)
def test_type_is_reported(name: str, sql_type: str, level: Level, part: str) -> None:
    """Column and remedy are named."""
    (finding,) = check_column_types([DescribedColumn(name, sql_type)])
    assert (finding.level, part in finding.message, name in finding.message) == (level, True, True)


def test_other_types_are_no_finding() -> None:
    """Nothing is said about ordinary columns."""
    columns = [DescribedColumn("userId", "int"), DescribedColumn("x", "uniqueidentifier")]
    assert not [*check_column_types(columns)]


@pytest.mark.parametrize(
    ("names", "count"),
    [(["id"], 1), (["ID", "plan"], 1), (["id", "USERID"], 0), (["id", "email"], 0), (["x"], 0)],
)
def test_id_without_user_id_is_a_warning(names: list[str], count: int) -> None:
    """An `id` alone is not the id of a person."""
    assert [finding.level for finding in check_ids(names)] == [Level.WARNING] * count
