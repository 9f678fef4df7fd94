"""Columns of which the driver does not tell the type: the server is asked.

Through pyodbc, a datetimeoffset(0) without a value in the first rows looks like an nvarchar(26).
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from tap_mssql_query.encoding.columns import Column, ColumnKind, kind_of_sql_type
from tap_mssql_query.errors import ServerError
from tap_mssql_query.mssql.describe import describe_result
from tap_mssql_query.mssql.session import MAY_BE_INSTANT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pyarrow as pa

    from tap_mssql_query.mssql.session import Session
    from tap_mssql_query.sql.select_only import SelectQuery


def describe_unclear(
    columns: Sequence[Column],
    result: pa.Schema,
    query: SelectQuery,
    open_session: Callable[[], Session],
) -> Sequence[Column]:
    """The columns, as date-times where the server says so; unchanged if it cannot be asked.

    The result is being read, so that its own session cannot be used.
    """
    unclear = {field.name for field in result if field.metadata == MAY_BE_INSTANT}
    if not unclear:
        return columns
    with contextlib.suppress(ServerError), contextlib.closing(open_session()) as session:
        unclear &= {
            column.name
            for column in describe_result(session, query)
            if kind_of_sql_type(column.sql_type) is ColumnKind.INSTANT
        }
        return [
            Column(column.name, ColumnKind.INSTANT) if column.name in unclear else column
            for column in columns
        ]
    return columns
