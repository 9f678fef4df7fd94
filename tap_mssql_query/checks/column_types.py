"""Findings about the columns of a result: types that drivers cannot read, and ids. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from program_kit.findings import Finding, Level

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tap_mssql_query.mssql.describe import DescribedColumn

_UNREADABLE = re.compile(r"sql_variant\b", re.IGNORECASE)
"""The drivers fail at them, or get their bytes without their type."""
_IDS = frozenset({"userid", "groupid", "previousid"})
_PERSON_IDS = frozenset({"userid", "anonymousid", "traits.email", "email", "groupid"})


def check_column_types(columns: Sequence[DescribedColumn]) -> Iterator[Finding]:
    """Errors about types that cannot be read, and a word about ids that are uniqueidentifiers."""
    for column in columns:
        if _UNREADABLE.match(column.sql_type):
            yield Finding(
                Level.ERROR,
                f"Column {column.name} is {column.sql_type}, which the drivers cannot read: "
                f"select CAST({column.name} AS nvarchar(4000)) AS [{column.name}], or the type "
                "that its values have.",
            )
        elif column.sql_type == "uniqueidentifier" and column.name.casefold() in _IDS:
            yield Finding(
                Level.OK,
                f"Column {column.name} is a uniqueidentifier: it is sent in capitals. If the "
                "destination holds these ids in lower case, select "
                f"LOWER(CAST({column.name} AS char(36))) AS [{column.name}].",
            )


def check_ids(names: Sequence[str]) -> Iterator[Finding]:
    """A warning about an `id` that nothing makes the id of a person."""
    folded = {name.casefold() for name in names}
    if "id" in folded and not folded & _PERSON_IDS:
        yield Finding(
            Level.WARNING,
            "The result has a column `id` and no `userId`: `id` is sent as an ordinary field. If "
            "it is the id of the person, select id AS userId.",
        )
