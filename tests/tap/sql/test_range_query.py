from __future__ import annotations

import pytest

from sandbox.sql_server.engine import DuckDBEngine
from tap_mssql_query.errors import QueryFailed
from tap_mssql_query.sql.key_range import KeyRange
from tap_mssql_query.sql.range_query import split_query
from tap_mssql_query.sql.select_only import SelectQuery
from tap_mssql_query.sql.tokenizer import TokenKind, tokenize, tokenize_all

READABLE = {
    "plain": "SELECT id, name FROM t",
    "semicolon and comment": "SELECT id, name FROM t; -- all of them",
    "CTE": "WITH a AS (SELECT id, name FROM t) SELECT id, name FROM a",
    "CTEs": "WITH a(id) AS (SELECT id FROM t), b AS (SELECT * FROM t)\n"
    "SELECT b.id, b.name FROM a JOIN b ON b.id = a.id",
    "comment after a CTE": "WITH a AS (SELECT id, name FROM t)\n-- final\nSELECT id, name FROM a",
    "comment before a CTE": "WITH -- first\na AS (SELECT id, name FROM t -- all\n) SELECT id, name "
    "FROM a -- end",
    "comments around ORDER BY": "SELECT id, name FROM t -- rows\nORDER BY name -- sorted",
    "no blanks": "SELECT[id],[name]FROM[t]WHERE(1=1)ORDER BY[name]",
    "union": "SELECT id, name FROM t WHERE id < 3 UNION ALL SELECT id, name FROM t WHERE id >= 3",
    "subquery with TOP": "SELECT id, (SELECT TOP 1 name FROM t AS u WHERE u.id = t.id ORDER BY id) "
    "AS name FROM t",
    "window": "SELECT id, name, ROW_NUMBER() OVER (ORDER BY name) AS n FROM t",
    "order by name": "SELECT id, name FROM t ORDER BY name DESC, id",
    "order by column of the table": "SELECT id, name FROM t ORDER BY t.name DESC",
    "order by position": "SELECT id, name FROM t ORDER BY 2 DESC",
    "order by alias": "SELECT id, name AS label FROM t ORDER BY label DESC",
    "order by what has an alias": "SELECT id, name AS label FROM t ORDER BY name DESC",
    "order by expression": "SELECT id, name, id * -1 AS down FROM t ORDER BY id * -1",
    "order by of a star": "SELECT * FROM t ORDER BY name DESC",
    "union with order": "SELECT id, name FROM t UNION SELECT id, name FROM t ORDER BY name DESC",
    "column called order": "SELECT id, name AS [order] FROM t",
}
UNREADABLE = {
    "SELECT TOP 5 id FROM t": "TOP",
    "SELECT id FROM t ORDER BY id OFFSET 5 ROWS": "OFFSET",
    "SELECT id FROM t ORDER BY name": "ORDER BY",
    "SELECT id FROM t ORDER BY id + 1": "ORDER BY",
    "SELECT id FROM t FOR JSON PATH": "FOR JSON",
    "SELECT id FROM t OPTION (MAXDOP 1)": "OPTION",
    "WITH XMLNAMESPACES ('a' AS b) SELECT id FROM t": "WITH",
}


@pytest.fixture(scope="module")
def run():
    """Runs a SelectQuery over a small table."""
    engine = DuckDBEngine()
    engine.create_database("d")
    engine.run("d", "CREATE TABLE t (id int, name varchar(10))")
    engine.run("d", "INSERT INTO t VALUES (1, 'a'), (2, 'c'), (3, 'b'), (4, 'd'), (NULL, 'e')")
    return lambda query: engine.run("d", query.sql)


@pytest.mark.parametrize("query", READABLE.values(), ids=list(READABLE))
def test_ranges_have_all_rows_of_the_query(run, query):
    """The ranges together have the rows of the query, each in the query's order."""
    whole = run(SelectQuery(query))

    range_query = split_query(SelectQuery(query))
    low, high = (range_query.where(r.condition("id")) for r in (KeyRange(None, 3), KeyRange(3)))

    expected = [
        [row for row in whole if (row[0] or 0) < 3],
        [row for row in whole if (row[0] or 0) >= 3],
    ]
    parts = [run(low), run(high)]
    if "ORDER BY" not in query.split("FROM t")[-1]:
        parts, expected = (
            [sorted(p, key=str) for p in parts],
            [sorted(e, key=str) for e in expected],
        )
    assert parts == expected
    assert all(expected)


@pytest.mark.parametrize(("query", "word"), UNREADABLE.items())
def test_unsupported_query_is_refused(query, word):
    """A query whose result would change is refused with the reason."""
    with pytest.raises(QueryFailed, match=word):
        split_query(SelectQuery(query))


def test_order_column_replaces_order_by():
    """A query for `order_column` may not have an ORDER BY."""
    with pytest.raises(QueryFailed, match="remove it"):
        split_query(SelectQuery("SELECT id FROM t ORDER BY id"), keeps_order=False)


def test_extent_counts_only_when_asked(run):
    """Rows are counted only on request: the extremes of an index cost only two seeks."""
    range_query = split_query(SelectQuery(READABLE["CTE"]))

    assert run(range_query.extremes_query("id", counts=True)) == [(1, 4, 5)]
    assert run(range_query.extremes_query("id", counts=False)) == [(1, 4, 0)]


GAPS = (
    "\n",
    "\r\n",
    "\r",
    "/**/",
    "/* ) , */",
    " -- c\n",
    " -- )\r\n",
    " --\n",
    "\t/* /* ' */ */ ",
)
ENDS = ("", ";", " ; ;", "-- end", " -- end\n", "/* end */;-- end", ";\r\n")


def _with_gaps(query, gap, end):
    """The query with something in every place where its words may be apart."""
    tokens = tokenize_all(SelectQuery(query).sql)
    words = [query[t.start : t.end] for t in tokens if t.kind is not TokenKind.COMMENT]
    words = [word for word in words if word != ";"]
    return gap + gap.join(words).replace(f">{gap}=", ">=") + gap + end


@pytest.mark.parametrize("gap", GAPS, ids=map(repr, GAPS))
@pytest.mark.parametrize("query", READABLE.values(), ids=list(READABLE))
def test_insertions_survive_comments_and_line_ends(query, gap):
    """What is put around a query gives the same words, whatever stands between its own."""
    expected = split_query(SelectQuery(query))
    end = ENDS[GAPS.index(gap) % len(ENDS)]
    parts = split_query(SelectQuery(_with_gaps(query, gap, end)))
    for made, plain in (
        (parts.where("[id] >= 3"), expected.where("[id] >= 3")),
        (
            parts.extremes_query("id", counts=True),
            expected.extremes_query("id", counts=True),
        ),
    ):
        assert [*tokenize(made.sql)] == [*tokenize(plain.sql)]
