"""Columns whose characters Microsoft's ODBC driver gets wrong, without an error. Pure.

It decodes text of code page 936 (Simplified Chinese) wrongly where it fetches values in pieces: in
a long column, and through the fast reader in every column as soon as one is long. The other code
pages are right, and so is nvarchar.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from program_kit.findings import Finding, Level

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tap_mssql_query.mssql.describe import DescribedColumn

_CODE_PAGE_936 = re.compile(r"Chinese_(PRC|Simplified)(?!\w*_UTF8)", re.IGNORECASE)
"""Source: sys.fn_helpcollations and COLLATIONPROPERTY(…, 'CodePage')."""
_TEXT = re.compile(r"(var)?char\b|text\b", re.IGNORECASE)
_LONG = re.compile(r".*\(max\)$|n?text$|image$|xml$", re.IGNORECASE)


def check_code_pages(columns: Sequence[DescribedColumn]) -> Iterator[Finding]:
    """An error for each column that may arrive as other characters."""
    if not any(_LONG.match(column.sql_type) for column in columns):
        return
    for column in columns:
        if _TEXT.match(column.sql_type) and _CODE_PAGE_936.match(column.collation):
            length = "max" if _LONG.match(column.sql_type) else "4000"
            yield Finding(
                Level.ERROR,
                f"Column {column.name} is {column.sql_type} with the collation {column.collation}. "
                "In a result with a long column its text may arrive as other characters, because "
                f"of a fault in the driver: select CAST({column.name} AS nvarchar({length})) AS "
                f"[{column.name}].",
            )
