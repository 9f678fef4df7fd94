"""Asks SQL Server for the columns and types of a query without running it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_mssql_query.errors import QueryFailed
    from tap_mssql_query.mssql.session import Session
    from tap_mssql_query.sql.select_only import SelectQuery

_NOT_DESCRIBABLE = range(11500, 11600)
"""Errors for a query that the server cannot describe, such as one with temporary tables.

Source: sys.messages, 11501 to 11558.
"""


@dataclass(frozen=True, slots=True)
class DescribedColumn:
    """A column, its type in T-SQL, such as `decimal(12,2)`, and the collation of a text."""

    name: str
    sql_type: str
    collation: str = ""


def describe_result(session: Session, query: SelectQuery) -> Sequence[DescribedColumn]:
    """The columns of a query, which is not run. Raises QueryFailed.

    Source: sp_describe_first_result_set, SQL Server 2012 and newer. It cannot describe queries that
    use temporary tables or dynamic SQL.
    """
    quoted = query.sql.replace("'", "''")
    rows = session.fetch_all(f"EXEC sp_describe_first_result_set @tsql = N'{quoted}'")
    return [
        # is_hidden, column_ordinal, name, …, system_type_name at 5, …, collation_name at 9
        DescribedColumn(row[2] or "", row[5] or "an unnamed type", row[9] or "")
        for row in rows
        if not row[0]
    ]


def is_undescribable(error: QueryFailed) -> bool:
    """Whether the error only means that the columns are unknown until the query runs."""
    return error.number in _NOT_DESCRIBABLE
