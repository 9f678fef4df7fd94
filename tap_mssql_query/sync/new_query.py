"""What a query that runs for the first time does to values and rows, as the run's log says it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from tap_mssql_query.errors import QueryFailed
from tap_mssql_query.mssql.code_pages import check_code_pages
from tap_mssql_query.mssql.describe import describe_result
from tap_mssql_query.sql.template import DATETIME_VARIABLES, find_variables
from tap_mssql_query.sync.comparisons import check_comparisons
from tap_mssql_query.sync.query import query_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from program_kit.findings import Finding
    from tap_mssql_query.mssql.session import Session
    from tap_mssql_query.settings.model import SyncSettings
    from tap_mssql_query.sql.template import SyncTimes


def check_new_query(session: Session, sync: SyncSettings, times: SyncTimes) -> Iterator[Finding]:
    """Columns that arrive as other characters, and comparisons that miss rows."""
    with contextlib.suppress(QueryFailed):  # its columns are not known before it runs
        yield from check_code_pages(describe_result(session, query_of(sync, times)))
    if DATETIME_VARIABLES & set(find_variables(sync.query)):
        yield from check_comparisons(session, sync)
