"""Text of every code page that the drivers know, through both readers: right, or found."""

from __future__ import annotations

import random
from functools import cache
from itertools import cycle, islice
from typing import Any

import pytest

from sandbox.sql_server.canned import CannedResult
from sandbox.sql_server.data_types.collations import COLLATIONS
from sandbox.sql_server.results import Column, SqlType
from tap_mssql_query.mssql.code_pages import check_code_pages
from tap_mssql_query.mssql.describe import DescribedColumn

_FIRST = {"cp950": 0x4E00}
"""Python has extensions of this code page (kana) that Windows has not."""


@cache
def _characters(code_page: str) -> str:
    """Some characters of a code page, of all lengths that it has."""
    found = []
    for number in range(_FIRST.get(code_page, 0xA1), 0xA000):
        character = chr(number)
        try:
            encoded = character.encode(code_page)
        except UnicodeError:
            continue
        if encoded.decode(code_page) == character and character.isalpha():
            found.append(character)
    return "".join(random.Random(code_page).sample(found, min(len(found), 60))) + "aZ9"


def _texts(code_page: str, length: int) -> str:
    return "".join(islice(cycle(_characters(code_page)), length))


def _build(*, has_long: bool) -> tuple[list[Column], list[list[Any]]]:
    types = ["varchar(200)"] + (["varchar(max)", "text"] if has_long else [])
    columns: list[Column] = []
    rows: list[list[Any]] = [[], [], []] if has_long else [[], []]
    for collation, known in COLLATIONS.items():
        for name in types:
            size = 400 if name == "varchar(200)" else None
            declared = SqlType("text" if name == "text" else "varchar", size, collation=collation)
            columns.append(Column(f"{collation} {name}", declared))
            for row, length in zip(rows, (1, 100, 10_000), strict=False):
                row.append(_texts(known.code_page, 100 if size and length > 100 else length))
    return columns, rows


@pytest.mark.parametrize("reader", ["arrow", "odbc"])
@pytest.mark.parametrize("has_long", [False, True])
def test_text_of_any_code_page_is_right_or_found(run_tap, config, server, reader, has_long):
    """Where the driver gives other characters, `--check` and the first run name the column."""
    columns, rows = _build(has_long=has_long)
    server.canned["SELECT texts"] = CannedResult.build(columns, rows)
    described = [
        DescribedColumn(column.name, column.name.split(" ")[1], column.type.collation or "")
        for column in columns
    ]
    found = " ".join(finding.message for finding in check_code_pages(described))
    sync = {"name": "s", "type": "identify", "query": "SELECT texts"}

    run = run_tap({**config, "reader": reader, "syncs": [sync]})

    records = run.records("s")
    assert len(records) == len(rows)
    wrong = {
        column.name
        for record, row in zip(records, rows, strict=True)
        for column, value in zip(columns, row, strict=True)
        if record[column.name] != value
    }
    assert {name for name in wrong if name not in found} == set()
