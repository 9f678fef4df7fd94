"""Queries and their rows."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.sql_server.engine import DuckDBEngine
from tests.sandbox.engine_batches import PASSWORD, results, row, rows, tables

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.sql_server.results import EngineSession

_SCHEMA = """
CREATE TABLE users (
    id int NOT NULL PRIMARY KEY, name nvarchar(50), price decimal(10, 2), born date,
    seen datetime2(3), logged datetime, code char(5), is_on bit
)
INSERT INTO users VALUES
    (1, N'Zoë', 3.10, '2001-02-03', '2026-01-02T03:04:05.678', '2026-01-02T03:04:05.678', 'ab', 1),
    (2, N'🎉 Ann', NULL, NULL, NULL, NULL, NULL, 0),
    (3, NULL, 7.00, NULL, NULL, NULL, NULL, NULL)
CREATE TABLE orders (id int NOT NULL, user_id int NOT NULL, [item.name] varchar(20))
INSERT orders VALUES (10, 1, 'pot'), (11, 1, 'cup'), (12, 2, 'tea')
"""


@pytest.fixture(scope="module")
def session() -> Iterator[EngineSession]:
    """An administrator in a database with two tables."""
    engine = DuckDBEngine()
    engine.create_database("shop")
    engine.run("shop", _SCHEMA)
    session = engine.login("sa", PASSWORD, "shop")
    yield session
    session.close()


_QUERIES: dict[str, tuple[str, list[list[Any]]]] = {
    "joins": (
        "SELECT u.name, o.id FROM users u JOIN orders AS o ON o.user_id = u.id ORDER BY o.id DESC",
        [["🎉 Ann", 12], ["Zoë", 11], ["Zoë", 10]],
    ),
    "left join": (
        (
            "SELECT u.id, o.id FROM users u LEFT OUTER JOIN orders o "
            "ON o.user_id = u.id AND o.id > 11 "
            "ORDER BY u.id"
        ),
        [[1, None], [2, 12], [3, None]],
    ),
    "CTE": (
        (
            "WITH c (n, rn) AS (SELECT id, ROW_NUMBER() OVER (ORDER BY id DESC) FROM users) "
            "SELECT n FROM c WHERE rn <= 2 ORDER BY n"
        ),
        [[2], [3]],
    ),
    "recursive CTE": (
        "WITH n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 3) SELECT i FROM n",
        [[1], [2], [3]],
    ),
    "TOP": ("SELECT TOP (2) id FROM users ORDER BY id DESC", [[3], [2]]),
    "OFFSET": ("SELECT id FROM users ORDER BY id OFFSET 1 ROWS FETCH NEXT 1 ROWS ONLY", [[2]]),
    "NULL sorts first": ("SELECT id FROM users ORDER BY name", [[3], [1], [2]]),
    "CASE": (
        "SELECT CASE WHEN id = 1 THEN 'a' ELSE 'b' END, CASE id WHEN 1 THEN 5 END FROM users",
        [["a", 5], ["b", None], ["b", None]],
    ),
    "choosing": (
        (
            "SELECT ISNULL(name, '?'), COALESCE(NULL, name, N'-'), NULLIF(id, 3), "
            "IIF(id > 2, 1, 0) FROM users WHERE id = 3"
        ),
        [["?", "-", None, 1]],
    ),
    "text functions": (
        (
            "SELECT LEN(N'ab  '), LEN(N'🎉'), SUBSTRING('abcdef', 2, 3), LEFT('abc', 2), "
            "RIGHT('abc', 1), UPPER(N'zoë'), LTRIM(' a '), RTRIM(' a '), "
            "REPLACE('aXbx', 'x', '-'), CHARINDEX('C', 'abc')"
        ),
        [[2, 2, "bcd", "ab", "c", "ZOË", "a ", " a", "a-b-", 3]],
    ),
    "concatenation": (
        "SELECT name + ' ' + code + '|', CONCAT(name, NULL, 1) FROM users WHERE id = 1",
        [["Zoë ab   |", "Zoë1"]],
    ),
    "NULL swallows +": ("SELECT name + 'x' FROM users WHERE id = 3", [[None]]),
    "numbers": (
        (
            "SELECT 7 / 2, -7 / 2, 7 % 4, 7 / 2.0, ROUND(2.567, 2), ABS(-3), price / 3 FROM users "
            "WHERE id = 1"
        ),
        [[3, -3, 3, Decimal("3.500000"), Decimal("2.570"), 3, Decimal("1.033333")]],
    ),
    "aggregates": (
        (
            "SELECT COUNT(*), COUNT(price), SUM(id), AVG(id), SUM(price), AVG(price), MAX(name) "
            "FROM users"
        ),
        [[3, 2, 6, 2, Decimal("10.10"), Decimal("5.050000"), "🎉 Ann"]],
    ),
    "grouping": (
        "SELECT user_id, COUNT(*) AS n FROM orders GROUP BY user_id HAVING COUNT(*) > 1",
        [[1, 2]],
    ),
    "STRING_AGG": (
        "SELECT STRING_AGG([item.name], ', ') WITHIN GROUP (ORDER BY id DESC) FROM orders",
        [["tea, cup, pot"]],
    ),
    "subqueries": (
        (
            "SELECT id FROM users u WHERE id IN (SELECT user_id FROM orders) "
            "AND NOT EXISTS (SELECT 1 FROM orders o WHERE o.user_id = u.id AND o.id = 12)"
        ),
        [[1]],
    ),
    "set operations": (
        "SELECT id, name FROM users WHERE id = 1 UNION ALL SELECT 9, NULL ORDER BY id DESC",
        [[9, None], [1, "Zoë"]],
    ),
    "derived tables and APPLY": (
        (
            "SELECT x.i, z.k FROM (VALUES (1, 'a'), (2, 'b')) x (i, s) "
            "CROSS APPLY (SELECT x.i * 2 AS k) z"
        ),
        [[1, 2], [2, 4]],
    ),
    "hints": (
        "SELECT id FROM [dbo].[users] WITH (NOLOCK) WHERE id = 1 OPTION (RECOMPILE, MAXDOP 1)",
        [[1]],
    ),
    "other database's name": ("SELECT TOP 1 id FROM shop.dbo.users WHERE id = 2", [[2]]),
    "text compares without case": (
        "SELECT id FROM users WHERE name = 'ZOË' OR name LIKE N'%ANN' OR name IN ('x')",
        [[1], [2]],
    ),
    "trailing spaces do not count": ("SELECT id FROM users WHERE code = 'ab  '", [[1]]),
    "text meets other types": (
        (
            "SELECT id FROM users WHERE id = '1' AND seen > '2026-01-02' AND is_on = 'true' "
            "AND born = '20010203'"
        ),
        [[1]],
    ),
    "datetime meets datetime2": (
        (
            "SELECT id FROM users WHERE logged < seen AND seen >= CAST('2026-01-02T03:04:05' AS "
            "datetime2(0))"
        ),
        [[1]],
    ),
    "LIKE with a set": ("SELECT id FROM users WHERE code LIKE '[a-c]b%'", [[1]]),
    "window": (
        (
            "SELECT id, SUM(id) OVER (ORDER BY id ROWS UNBOUNDED PRECEDING), "
            "LAG(id) OVER (ORDER BY id) FROM users ORDER BY id"
        ),
        [[1, 1, None], [2, 3, 1], [3, 6, 2]],
    ),
}


@pytest.mark.parametrize("case", _QUERIES)
def test_query_returns_its_rows(session: EngineSession, case: str) -> None:
    """Each query returns the rows that SQL Server returns."""
    sql, expected = _QUERIES[case]
    assert rows(session, sql) == expected


_DATES: dict[str, Any] = {
    "DATEADD(day, 1, CAST('2026-01-31' AS date))": date(2026, 2, 1),
    "DATEADD(month, 1, CAST('2026-01-31' AS date))": date(2026, 2, 28),
    "DATEADD(second, 1700000000, '1970-01-01')": datetime(2023, 11, 14, 22, 13, 20),
    "DATEDIFF(day, '2026-01-01 23:59', '2026-01-02')": 1,
    "DATEDIFF(hour, '2026-01-01 00:59', '2026-01-01 01:00')": 1,
    "DATEDIFF(year, '2025-12-31', '2026-01-01')": 1,
    "DATEDIFF(week, '2026-01-03', '2026-01-04')": 1,
    "DATEDIFF(week, '2026-01-04', '2026-01-10')": 0,
    "DATEDIFF(second, '1970-01-01', '2026-01-01')": 1_767_225_600,
    "DATEDIFF_BIG(ms, '1970-01-01', '2026-01-01')": 1_767_225_600_000,
    "DATEDIFF(day, '2026-01-02', '2026-01-01')": -1,
    "DATEPART(weekday, '2026-01-04')": 1,
    "DATEPART(iso_week, '2026-01-04')": 1,
    "DATENAME(month, '2026-01-04')": "January",
    "YEAR('2026-05-06') * 10000 + MONTH('2026-05-06') * 100 + DAY('2026-05-06')": 20260506,
    "EOMONTH('2026-02-03')": date(2026, 2, 28),
    "CONVERT(varchar(30), CAST('2026-01-02T03:04:05.678' AS datetime), 126)": (
        "2026-01-02T03:04:05.677"
    ),
    "CONVERT(varchar(30), CAST('2026-01-02T03:04:05' AS datetime), 126)": "2026-01-02T03:04:05",
    "CONVERT(varchar(30), CAST('2026-01-02T03:04:05.6' AS datetime2(3)), 121)": (
        "2026-01-02 03:04:05.600"
    ),
    "CONVERT(varchar(10), CAST('2026-01-02T03:04:05' AS datetime), 120)": "2026-01-02",
    "CONVERT(varchar, CAST('2026-01-02' AS date), 112)": "20260102",
    "CONVERT(char(10), CAST('2026-01-02' AS datetime2(0)), 23)": "2026-01-02",
    "CAST(CAST('2026-01-02T03:04:05' AS datetime) AS varchar(30))": "Jan  2 2026  3:04AM",
    "CAST(CAST('2026-01-02T03:04:05.1234567' AS datetime2) AS varchar(30))": (
        "2026-01-02 03:04:05.1234567"
    ),
}


_FUNCTIONS: dict[str, Any] = {
    "CEILING(1.2)": Decimal(2),
    "FLOOR(1.7)": Decimal(1),
    "POWER(2, 3)": 8,
    "SIGN(-3)": -1,
    "ROUND(1.256, 2, 1)": Decimal("1.250"),
    "6 & 3": 2,
    "6 | 3": 7,
    "6 ^ 3": 5,
    "~1": -2,
    "STUFF('abcdef', 2, 3, 'xy')": "axyef",
    "TRIM(' a ')": "a",
    "TRIM('x' FROM 'xax')": "a",
    "CONCAT_WS('-', 'a', NULL, 'b')": "a-b",
    "DATALENGTH(N'ab')": 4,
    "CONVERT(varchar(8), HASHBYTES('SHA2_256', 'a@example.com'), 2)": "08168CD8",
    "JSON_VALUE('{\"a\": {\"b\": 1}}', '$.a.b')": "1",
    "JSON_QUERY('{\"a\": {\"b\":1}}', '$.a')": '{"b":1}',
    "ISJSON('x')": 0,
    "DB_ID('shop')": 2,
    "DATEFROMPARTS(2026, 1, 2)": date(2026, 1, 2),
    "DATETIME2FROMPARTS(2026, 1, 2, 3, 4, 5, 12, 2)": datetime(2026, 1, 2, 3, 4, 5, 120_000),
    "FORMAT(CAST('2026-01-02' AS date), 'yyyy-MM-dd')": "2026-01-02",
    "CAST('2026-01-02' AS datetime) + 1": datetime(2026, 1, 3),
    "CONVERT(varchar(40), SWITCHOFFSET(CAST('2026-01-02T03:04:05Z' AS datetimeoffset(0)), 60))": (
        "2026-01-02 04:04:05 +01:00"
    ),
    "CONVERT(varchar(40), CAST('2026-01-02' AS datetime2(0)) AT TIME ZONE 'UTC', 126)": (
        "2026-01-02T00:00:00+00:00"
    ),
}


@pytest.mark.parametrize("expression", _FUNCTIONS)
def test_functions_and_operators_compute_as_sql_server(
    session: EngineSession, expression: str
) -> None:
    """Functions and operators return what SQL Server returns."""
    assert row(session, f"SELECT {expression}") == [_FUNCTIONS[expression]]


@pytest.mark.parametrize("expression", _DATES)
def test_dates_count_boundaries_and_take_styles(session: EngineSession, expression: str) -> None:
    """Date functions compute and format as SQL Server's."""
    assert row(session, f"SELECT {expression}") == [_DATES[expression]]


def test_statements_need_no_semicolons(session: EngineSession) -> None:
    """A batch of several queries returns several result sets, with or without semicolons."""
    assert tables(session, "SELECT 1 AS a; SELECT 2 AS b") == [[[1]], [[2]]]
    assert tables(session, "SELECT 1 AS a\nSELECT 2 AS b SELECT 3") == [[[1]], [[2]], [[3]]]


def test_names_are_as_the_query_spells_them(session: EngineSession) -> None:
    """Columns keep the query's spelling and duplicates, and have no name where there is none."""
    ((columns, _),) = results(
        session, "SELECT ID, name AS [a.b], Id + 1, id AS x, 2 AS x FROM USERS"
    )
    assert [column.name for column in columns] == ["ID", "a.b", "", "x", "x"]


def test_no_rows_still_have_columns(session: EngineSession) -> None:
    """A query without rows has its columns and types."""
    ((columns, found),) = results(session, "SELECT *, price * 2 AS p FROM users WHERE 1 = 0")
    assert [column.type.name for column in columns][-3:] == ["char", "bit", "numeric"]
    assert found == []


_JSON: dict[str, tuple[str, str | None]] = {
    "rows": (
        "SELECT id, [item.name] FROM orders WHERE user_id = 1 ORDER BY id DESC FOR JSON PATH",
        '[{"id":11,"item":{"name":"cup"}},{"id":10,"item":{"name":"pot"}}]',
    ),
    "NULL left out": (
        "SELECT id, name, is_on FROM users WHERE id = 3 FOR JSON PATH, WITHOUT_ARRAY_WRAPPER",
        '{"id":3}',
    ),
    "NULL kept": (
        "SELECT id, name FROM users WHERE id = 3 FOR JSON PATH, INCLUDE_NULL_VALUES",
        '[{"id":3,"name":null}]',
    ),
    "root": ("SELECT 1 AS a FOR JSON PATH, ROOT('r')", '{"r":[{"a":1}]}'),
    "types": (
        (
            "SELECT name, price, born, seen, is_on, CAST(1.5 AS float) AS f, "
            "'a/\"b' AS s FROM users WHERE id = 1 FOR JSON PATH, WITHOUT_ARRAY_WRAPPER"
        ),
        (
            '{"name":"Zoë","price":3.10,"born":"2001-02-03","seen":"2026-01-02T03:04:05.678",'
            '"is_on":true,"f":1.500000000000000e+000,"s":"a\\/\\"b"}'
        ),
    ),
    "nested": (
        (
            "SELECT id, (SELECT o.id FROM orders o WHERE o.user_id = u.id FOR JSON PATH) AS o "
            "FROM users u WHERE id > 1 FOR JSON PATH"
        ),
        '[{"id":2,"o":[{"id":12}]},{"id":3}]',
    ),
}


@pytest.mark.parametrize("case", _JSON)
def test_for_json_writes_what_sql_server_writes(session: EngineSession, case: str) -> None:
    """FOR JSON PATH nests dotted names, omits NULLs and escapes as SQL Server does."""
    sql, expected = _JSON[case]
    assert "".join(line[0] for line in rows(session, sql)) == expected


def test_json_subquery_is_a_column_of_text(session: EngineSession) -> None:
    """A FOR JSON subquery returns nvarchar(max), NULL if it has no rows."""
    sql = (
        "SELECT id, (SELECT o.id FROM orders o WHERE o.user_id = u.id FOR JSON PATH) AS products "
        "FROM users u ORDER BY id"
    )
    ((columns, found),) = results(session, sql)
    assert (columns[1].type.name, columns[1].type.length) == ("nvarchar", None)
    assert [line[1] for line in found] == ['[{"id":10},{"id":11}]', '[{"id":12}]', None]


def test_long_json_comes_in_pieces(session: EngineSession) -> None:
    """A FOR JSON result is sent in rows of 2033 characters; none if there are no rows."""
    long = rows(session, "SELECT REPLICATE('x', 3000) AS a FOR JSON PATH")
    assert [len(line[0]) for line in long] == [2033, 977]
    assert rows(session, "SELECT id FROM users WHERE 1 = 0 FOR JSON PATH") == []
