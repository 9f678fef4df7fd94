"""A query's columns with SQL Server's types, as the server describes them without running it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_mssql_query.errors import QueryFailed
    from tap_mssql_query.mssql.session import Session

_CANNOT_TELL = range(11500, 11600)
"""Errors by which the server says that it cannot describe a query, as with temporary tables.

Source: sys.messages, 11501 to 11558.
"""
_CANNOT_TELL_WORDS = "The metadata could not be determined"


@dataclass(frozen=True, slots=True)
class DescribedColumn:
    """A column, with its type as T-SQL writes it, such as `decimal(12,2)`."""

    name: str
    sql_type: str


def describe_result(session: Session, sql: str) -> Sequence[DescribedColumn]:
    """The columns of a query that is not run. Raises QueryFailed.

    Source: sp_describe_first_result_set, SQL Server 2012 and newer. It cannot describe queries that
    use temporary tables or dynamic SQL.
    """
    quoted = sql.replace("'", "''")
    rows = session.fetch_all(f"EXEC sp_describe_first_result_set @tsql = N'{quoted}'")
    return [
        DescribedColumn(name or "", type_name or "a type of its own")
        for is_hidden, _ordinal, name, _is_nullable, _type_id, type_name, *_ in rows
        if not is_hidden
    ]


def is_undescribable(error: QueryFailed) -> bool:
    """Whether the server only says that it must run the query to know its columns."""
    return error.number in _CANNOT_TELL or _CANNOT_TELL_WORDS in str(error)
