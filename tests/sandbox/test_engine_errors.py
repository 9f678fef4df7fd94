"""Errors with SQL Server's numbers, severities and messages; logins and permissions."""

from __future__ import annotations

import pytest

from sandbox.sql_server.engine import DuckDBEngine
from sandbox.sql_server.results import ResultSet, SqlError
from tests.sandbox.engine_batches import PASSWORD, error, results, row, rows

_SCHEMA = """
CREATE TABLE users (id int NOT NULL CONSTRAINT pk_users PRIMARY KEY, name nvarchar(5) NULL,
    age tinyint NULL, born date NULL)
INSERT users VALUES (1, N'Ann', 5, NULL), (2, N'Bob', 0, NULL)
"""


@pytest.fixture(scope="module")
def engine() -> DuckDBEngine:
    """A database with a table, a reader and the administrator."""
    engine = DuckDBEngine()
    engine.create_database("shop")
    engine.add_login("reader", PASSWORD)
    engine.run("shop", _SCHEMA)
    return engine


_ERRORS: dict[str, tuple[int, int, str]] = {
    "SELECT * FROM nowhere": (208, 16, "Invalid object name 'nowhere'."),
    "SELECT * FROM dbo.[no where]": (208, 16, "Invalid object name 'dbo.no where'."),
    "SELECT nope FROM users": (207, 16, "Invalid column name 'nope'."),
    "SELECT id FROM users WHERE u.id = 1": (
        4104, 16, 'The multi-part identifier "u.id" could not be bound.'),
    "SELECT id FROM users a, users b": (209, 16, "Ambiguous column name 'id'."),
    "SELECT 1 +": (102, 15, "Incorrect syntax near '+'."),
    "SELECT a b c FROM users": (102, 15, "Incorrect syntax near 'c'."),
    "SELECT id, FROM users": (156, 15, "Incorrect syntax near the keyword 'FROM'."),
    "SELECT FROM users": (156, 15, "Incorrect syntax near the keyword 'FROM'."),
    "SELECT 'a": (105, 15, "Unclosed quotation mark after the character string 'a'."),
    "SELECT 1 WHERE 1": (4145, 15,
        ("An expression of non-boolean type specified in a context where a condition is expected, "
        "near '1'.")),
    "SELECT @x": (137, 15, 'Must declare the scalar variable "@x".'),
    "SELECT nope(1)": (195, 15, "'nope' is not a recognized built-in function name."),
    "SELECT CAST(1 AS nope)": (243, 16, "Type nope is not a defined system type."),
    "EXEC nope": (2812, 16, "Could not find stored procedure 'nope'."),
    "nope 1": (2812, 16, "Could not find stored procedure 'nope'."),
    "USE nope": (911, 16,
        "Database 'nope' does not exist. Make sure that the name is entered correctly."),
    "SELECT 1 / 0": (8134, 16, "Divide by zero error encountered."),
    "SELECT 1.5 / 0": (8134, 16, "Divide by zero error encountered."),
    "SELECT CAST(1 AS float) / 0": (8134, 16, "Divide by zero error encountered."),
    "SELECT 5 / age FROM users": (8134, 16, "Divide by zero error encountered."),
    "SELECT CAST(name AS int) FROM users": (245, 16,
        "Conversion failed when converting the nvarchar value 'Ann' to data type int."),
    "SELECT id FROM users WHERE name = 1": (245, 16,
        "Conversion failed when converting the nvarchar value 'Ann' to data type int."),
    "SELECT CAST('x' AS decimal(5, 2))": (
        8114, 16, "Error converting data type varchar to numeric."),
    "SELECT CAST('x' AS date)": (241, 16,
        "Conversion failed when converting date and/or time from character string."),
    "SELECT CAST('x' AS uniqueidentifier)": (8169, 16,
        "Conversion failed when converting from a character string to uniqueidentifier."),
    "SELECT 2147483647 + 1": (
        8115, 16, "Arithmetic overflow error converting expression to data type int."),
    "SELECT CAST(300 AS tinyint)": (
        8115, 16, "Arithmetic overflow error converting expression to data type tinyint."),
    "SELECT CAST(1234.5 AS decimal(5, 2))": (
        8115, 16, "Arithmetic overflow error converting numeric to data type numeric."),
    "SELECT id FROM users WHERE born = 5": (
        206, 16, "Operand type clash: date is incompatible with int"),
    "SELECT name, COUNT(*) FROM users": (8120, 16,
        ("Column 'name' is invalid in the select list because it is not contained in either an "
        "aggregate function or the GROUP BY clause.")),
    "SELECT id FROM users WHERE id = (SELECT id FROM users)": (512, 16,
        ("Subquery returned more than 1 value. This is not permitted when the subquery follows =, "
        "!=, <, <= , >, >= or when the subquery is used as an expression.")),
    "INSERT users (name) VALUES ('x')": (515, 16,
        ("Cannot insert the value NULL into column 'id', table 'shop.dbo.users'; column does not "
        "allow nulls. INSERT fails.")),
    "INSERT users (id) VALUES (1)": (2627, 14,
        ("Violation of PRIMARY KEY constraint 'pk_users'. Cannot insert duplicate key in object "
        "'dbo.users'. The duplicate key value is (1).")),
    "INSERT users (id, name) VALUES (9, 'abcdef')": (2628, 16,
        ("String or binary data would be truncated in table 'shop.dbo.users', column 'name'. "
        "Truncated value: 'abcde'.")),
    "INSERT users VALUES (1)": (
        213, 16, "Column name or number of supplied values does not match table definition."),
    "CREATE TABLE users (a int)": (
        2714, 16, "There is already an object named 'users' in the database."),
    "DROP TABLE nope": (3701, 11,
        "Cannot drop the table 'nope', because it does not exist or you do not have permission."),
    "RAISERROR ('text', 16, 1)": (50000, 16, "text"),
    "THROW 51000, 'text', 1": (51000, 16, "text"),
    "UPDATE users SET": (102, 15, "Incorrect syntax near 'users'."),
    "SELECT id FROM users WHERE id IN ()": (102, 15, "Incorrect syntax near ')'."),
    "SELECT COUNT()": (174, 15, "The count function requires 1 argument(s)."),
    "SELECT DATEADD(year, 9000, '2026-01-01')": (
        517, 16, "Adding a value to a 'datetime' column caused an overflow."),
    "COMMIT": (3902, 16, "The COMMIT TRANSACTION request has no corresponding BEGIN TRANSACTION."),
}  # fmt: skip


@pytest.mark.parametrize("sql", _ERRORS)
def test_error_is_sql_servers(engine: DuckDBEngine, sql: str) -> None:
    """Number, severity and message are SQL Server's."""
    problem = error(engine.login("sa", PASSWORD, "shop"), sql)
    assert (problem.number, problem.severity, problem.message) == _ERRORS[sql]


def test_error_has_its_line(engine: DuckDBEngine) -> None:
    """An error has the line of its statement."""
    session = engine.login("sa", PASSWORD, "shop")
    assert error(session, "SELECT 1\nSELECT 2\nSELECT nope FROM users").line == 3


def test_deadlock_can_be_raised(engine: DuckDBEngine) -> None:
    """Unlike SQL Server's, RAISERROR can raise 1205, to test clients' deadlock handling."""
    problem = error(engine.login("sa", PASSWORD, "shop"), "RAISERROR (1205, 13, 1); SELECT 1")
    assert (problem.number, problem.severity) == (1205, 13)
    assert "has been chosen as the deadlock victim" in problem.message


@pytest.mark.parametrize("sql", ["SELECT nope FROM users", "SELECT * FROM nowhere", "SELECT @x"])
def test_description_fails_as_the_run_does(engine: DuckDBEngine, sql: str) -> None:
    """Describing a query raises the same errors as running it."""
    session = engine.login("sa", PASSWORD, "shop")
    with pytest.raises(SqlError) as described:
        session.describe(sql)
    assert described.value.number == error(session, sql).number


def test_temporary_tables_cannot_be_described(engine: DuckDBEngine) -> None:
    """As in SQL Server, a query on a temporary table cannot be described."""
    session = engine.login("sa", PASSWORD, "shop")
    with pytest.raises(SqlError) as described:
        session.describe("CREATE TABLE #x (a int); SELECT * FROM #x")
    assert described.value.number == 11526


def test_unsupported_query_fails_alone(engine: DuckDBEngine) -> None:
    """Unsupported T-SQL is an error of the batch; the session stays usable."""
    session = engine.login("sa", PASSWORD, "shop")
    sql = "SELECT * FROM users PIVOT (MAX(name) FOR id IN ([1], [2])) p"
    assert error(session, sql).number == 8630
    assert row(session, "SELECT 1") == [1]


def test_late_error_comes_with_the_rows(engine: DuckDBEngine) -> None:
    """An error in a later row is raised while rows are read; the session stays usable."""
    session = engine.login("sa", PASSWORD, "shop")
    result = next(iter(session.execute("SELECT 1 / (id - 2) FROM users")))
    assert isinstance(result, ResultSet)
    with pytest.raises(SqlError, match="Divide by zero"):
        list(result.rows)
    assert row(session, "SELECT 1") == [1]


@pytest.mark.parametrize(
    ("username", "password", "database", "number", "severity"),
    [
        ("sa", "wrong", "shop", 18456, 14),
        ("nobody", PASSWORD, "shop", 18456, 14),
        ("reader", PASSWORD, "nowhere", 4060, 11),
    ],
)
def test_login_is_checked(
    engine: DuckDBEngine, username: str, password: str, database: str, number: int, severity: int
) -> None:
    """Wrong credentials and unknown databases are rejected."""
    with pytest.raises(SqlError) as failed:
        engine.login(username, password, database)
    assert (failed.value.number, failed.value.severity) == (number, severity)


def test_default_database_is_the_first(engine: DuckDBEngine) -> None:
    """A login without a database gets the first user database, or master."""
    assert engine.login("reader", PASSWORD, "").database == "shop"
    assert DuckDBEngine().login("sa", PASSWORD, "").database == "master"


@pytest.mark.parametrize(
    ("sql", "number", "message"),
    [
        ("INSERT users (id) VALUES (9)", 229, "The INSERT permission was denied on the object"),
        ("UPDATE users SET age = 1", 229, "The UPDATE permission was denied on the object"),
        ("DELETE users", 229, "The DELETE permission was denied on the object"),
        ("TRUNCATE TABLE users", 1088, "Cannot find the object"),
        ("CREATE TABLE x (a int)", 262, "CREATE TABLE permission denied in database 'shop'."),
        ("CREATE VIEW x AS SELECT 1 AS a", 262, "CREATE VIEW permission denied"),
        ("SELECT * INTO x FROM users", 262, "CREATE TABLE permission denied"),
        ("DROP TABLE users", 3701, "Cannot drop the table 'users'"),
        ("GRANT SELECT ON users TO reader", 4613, "Grantor does not have GRANT permission."),
    ],
)
def test_reader_cannot_write(engine: DuckDBEngine, sql: str, number: int, message: str) -> None:
    """A reader may change and create nothing."""
    problem = error(engine.login("reader", PASSWORD, "shop"), sql)
    assert problem.number == number
    assert problem.message.startswith(message)
    assert len(engine.run("shop", "SELECT id FROM users WHERE age IN (0, 5)")) == 2


def test_reader_reads_and_has_temporary_tables(engine: DuckDBEngine) -> None:
    """A reader may SELECT, and write temporary tables of its session."""
    sql = "SELECT id INTO #x FROM users; INSERT #x VALUES (3); SELECT COUNT(*) FROM #x"
    assert row(engine.login("reader", PASSWORD, "shop"), sql) == [3]


def test_select_can_be_denied(engine: DuckDBEngine) -> None:
    """DENY of SELECT causes error 229; GRANT and REVOKE undo it."""
    engine.run("shop", "CREATE TABLE secrets (a int); DENY SELECT ON dbo.secrets TO reader")
    reader = engine.login("reader", PASSWORD, "shop")
    problem = error(reader, "SELECT * FROM secrets")
    assert (problem.number, problem.severity, problem.message) == (
        229,
        14,
        "The SELECT permission was denied on the object 'secrets', database 'shop', schema 'dbo'.",
    )
    engine.run(
        "shop", "REVOKE SELECT ON dbo.secrets FROM reader; GRANT INSERT ON secrets TO reader"
    )
    results(reader, "INSERT secrets VALUES (1)")
    assert rows(reader, "SELECT a FROM secrets") == [[1]]


@pytest.mark.parametrize(
    ("login", "expected"), [("reader", [0, 0, 1, 0, 1, 0, 0]), ("sa", [1] * 7)]
)
def test_permissions_can_be_queried(engine: DuckDBEngine, login: str, expected: list[int]) -> None:
    """Roles and permissions are reported as a preflight check queries them."""
    sql = (
        "SELECT IS_SRVROLEMEMBER('sysadmin'), IS_MEMBER('db_owner'), IS_MEMBER('db_datareader'), "
        "HAS_PERMS_BY_NAME(DB_NAME(), 'DATABASE', 'INSERT'), "
        "HAS_PERMS_BY_NAME('dbo.users', 'OBJECT', 'SELECT'), "
        "HAS_PERMS_BY_NAME('dbo.users', 'OBJECT', 'DELETE'), "
        "HAS_PERMS_BY_NAME(NULL, NULL, 'CONTROL SERVER')"
    )
    assert row(engine.login(login, PASSWORD, "shop"), sql) == expected
