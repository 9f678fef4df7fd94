"""--check: findings about databases and syncs, as the program prints them."""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import yaml  # type: ignore[import-untyped]  # it comes with singer-sdk, without types

from program_kit.findings import Level
from sandbox.shop.creation import create_empty_shop
from sandbox.shop.syncs import SYNCS
from sandbox.sql_server.engine import DuckDBEngine
from tap_mssql_query.checks.database import check_database, login_script
from target_pipelines.plugins.loading import built_in_entry_points, load_plugins
from tests.packaging.conftest import ROOT
from tests.tap.conftest import TAP

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from sandbox.sql_server.engine.session import DuckDBSession
    from sandbox.sql_server.results import Result
    from sandbox.sql_server.server import SqlServer

CALL_TYPES = load_plugins(entries=built_in_entry_points()).call_types.names()
_ROW = re.compile(r" ?(\S.*?)  +(ok|warning|error)  +(.*?) *")


class _Check(NamedTuple):
    """The result of one run with --check."""

    exit_code: int
    rows: list[tuple[str, str, str]]
    output: str
    log: str

    def of(self, place: str) -> list[tuple[str, str]]:
        """Level and message of each finding about a subject."""
        return [(level, message) for where, level, message in self.rows if where == place]

    def has(self, place: str, level: str, part: str) -> bool:
        """Whether a finding of this level and subject contains a text."""
        return any(level == found and part in message for found, message in self.of(place))


class _RecordingEngine(DuckDBEngine):
    """Records the batches that are run; describing a query does not run it."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[str] = []

    def login(self, username: str, password: str, database: str) -> DuckDBSession:
        """A session whose batches are recorded."""
        session = super().login(username, password, database)
        execute = session.execute

        def record(sql: str, parameters: Mapping[str, Any] | None = None) -> Iterator[Result]:
            self.batches.append(sql)
            return execute(sql, parameters)

        session.execute = record  # type: ignore[method-assign]
        return session


@pytest.fixture(scope="module")
def engine() -> _RecordingEngine:
    """The sample shop's tables, and one with date-time columns."""
    engine = _RecordingEngine()
    create_empty_shop(engine)
    engine.run("shop", "CREATE TABLE moments (id int, old datetime, new datetime2, day date)")
    engine.run("shop", "CREATE TABLE hidden (id int)")
    engine.run("shop", "DENY SELECT ON hidden TO reader")
    engine.batches.clear()
    return engine


@pytest.fixture(scope="module")
def check(
    server: SqlServer, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[list[dict[str, Any]]], _Check]:
    """Runs --check with syncs; `admin`, `gone` and `wrong` are further databases."""
    reader = {
        "host": "127.0.0.1",
        "port": server.port,
        "database": "shop",
        "username": "reader",
        "password": "Sandbox-1",
        "encrypt": "no",
        "login_timeout_seconds": 1,
    }
    databases = {
        "admin": {**reader, "username": "sa"},
        "gone": {**reader, "port": 1},
        "wrong": {**reader, "password": "canary-1"},
    }

    def run(syncs: Sequence[Mapping[str, Any]], **settings: object) -> _Check:
        config = {**reader, "databases": databases, "syncs": syncs, **settings}
        path: Path = tmp_path_factory.mktemp("check") / "tap.json"
        path.write_text(json.dumps(config))
        command = [str(TAP), "--config", str(path), "--check"]
        done = subprocess.run(command, capture_output=True, check=False, text=True, timeout=60)
        found = (_ROW.fullmatch(line) for line in done.stdout.splitlines())
        rows = [(row[1], row[2], row[3]) for row in found if row]
        return _Check(done.returncode, rows, done.stdout, done.stderr)

    return run


def _sync(name: str, query: str, **settings: object) -> dict[str, Any]:
    return {"name": name, "type": "identify", "query": query, **settings}


SINCE = "WHERE last_updated >= {{last_sync_time}}"

FAULTY = [
    _sync("writes", "SELECT id AS userId INTO stolen FROM users"),
    _sync("twice", f"SELECT id AS userId FROM users {SINCE}; DROP TABLE users"),
    _sync("missing", f"SELECT id AS userId, nothing FROM users {SINCE}", enabled=False),
    _sync("nowhere", "SELECT id AS userId FROM [no such table]"),
    _sync("hidden", "SELECT id AS userId FROM hidden WHERE id > {{last_sync_time}}"),
    _sync("alike", f"SELECT id AS userId, id AS USERID, 1 + 1 FROM users {SINCE}"),
    _sync("dirty", f"SELECT id AS userId FROM users WITH (NOLOCK) {SINCE}"),
    _sync("temporary", "SELECT id AS userId FROM #users WHERE id > {{last_sync_time}}"),
    _sync("old", "SELECT id AS userId FROM moments WHERE old >= {{last_sync_time}}"),
    _sync("new", "SELECT id AS userId FROM moments AS m WHERE {{ last_sync_time }} < m.new"),
    _sync("day", "SELECT * FROM (SELECT id AS userId FROM moments WHERE day BETWEEN "
          "{{last_sync_time}} AND {{sync_time}}) AS x"),
    _sync("right", "SELECT id AS userId FROM moments WHERE new >= {{last_sync_datetime}} AND "
          "old >= DATEADD(SECOND, {{last_sync_time}}, '1970-01-01')"),
    _sync("unknown", f"SELECT id AS userId FROM users {SINCE}", type="identfy"),
    _sync("no_event", f"SELECT fname FROM users {SINCE}", type="track"),
    _sync("mapped", f"SELECT fname FROM users {SINCE}", type="track"),
    _sync("placeless", f"SELECT id AS USERID, id AS previousid, fname FROM users {SINCE}",
          type="alias"),
    _sync("keys", f"SELECT id AS userId FROM users {SINCE}", key_columns=["id"],
          json_columns=["tags"]),
    _sync("everything", "SELECT id AS userId FROM users", database="admin"),
    _sync("unreached", f"SELECT id AS userId FROM users WITH (NOLOCK) {SINCE}", database="gone"),
    _sync("unwelcome", "EXEC sp_who --{{last_sync_time}}", database="wrong"),
]  # fmt: skip


@pytest.fixture(scope="module")
def faulty(check: Callable[..., _Check]) -> _Check:
    """One check of everything that can be wrong."""
    return check(FAULTY, stream_maps={"mapped": {"userId": "1", "event": "'x'"}})


@pytest.mark.parametrize(
    ("place", "level", "part"),
    [
        ("database", "ok", "database shop is reachable; SQL Server 16.0"),
        ("database", "ok", "The login has no role or database-wide permission to write."),
        ("database admin", "warning", "can do more than read (sysadmin, db_owner"),
        ("database gone", "error", "Cannot connect to 127.0.0.1:1"),
        ("database wrong", "error", "Login failed for user 'reader'"),
        ("sync writes", "error", "It contains INTO"),
        ("sync writes", "warning", "no {{last_sync_time}} or {{last_sync_datetime}}"),
        ("sync twice", "error", "2 statements"),
        ("sync missing", "error", "Invalid column name 'nothing'"),
        ("sync nowhere", "error", "Invalid object name 'no such table'"),
        ("sync alike", "error", '"userId" and "USERID" cannot be in the same result'),
        ("sync alike", "error", "Column 3 has no name"),
        ("sync dirty", "warning", "NOLOCK may skip or repeat rows"),
        ("sync dirty", "ok", "Columns: userId int."),
        ("sync temporary", "warning", "not known before a run"),
        ("sync old", "error", "old is datetime, but is compared with a number of seconds"),
        ("sync new", "error", "m.new is datetime2(7), but is compared"),
        ("sync day", "error", "day is date, but is compared"),
        ("sync old", "error", "use {{last_sync_datetime}}"),
        ("sync unknown", "error", f"known are {', '.join(CALL_TYPES)}."),
        ("sync no_event", "error", "requires `event`"),
        ("sync no_event", "error", "requires `userId` or `anonymousId`"),
        ("sync mapped", "warning", "requires `event`"),
        ("sync placeless", "ok", "Ids: userId (column USERID), previousId (column previousid)."),
        ("sync placeless", "warning", "has no field for fname"),
        ("sync keys", "error", "Key column id is not in the result."),
        ("sync keys", "warning", "JSON column tags is not in the result."),
        ("sync everything", "warning", "every run sends every row"),
        ("sync unreached", "warning", "NOLOCK"),
        ("sync unwelcome", "error", "It contains EXEC"),
    ],
)
def test_check_finds(faulty: _Check, place: str, level: str, part: str) -> None:
    """Each fault is reported with its level and subject."""
    assert faulty.has(place, level, part), "\n".join(map(str, faulty.of(place)))


def test_check_finds_what_maps_and_selection_cannot_leave_out(
    check: Callable[..., _Check], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Misspelt names, key columns, and expressions that are no expressions."""
    rules = ["*.*", "!users.userId", "!users.emial"]
    monkeypatch.setenv("MELTANO_EXTRACT__SELECT", json.dumps(rules))
    query = f"SELECT id AS userId, email_address AS email FROM users {SINCE}"
    syncs = [_sync("users", query, key_columns=["userId"]), _sync("others", query)]

    found = check(syncs, stream_maps={"users": {"email": "lower("}, "others": {"lname": None}})

    assert found.has("sync users", "error", "Failed to parse expression lower(.")
    assert found.has("sync users", "error", "leaves out `userId`, which is one of its `key_")
    assert found.has("sync users", "error", "(did you mean `email`?)")
    assert found.has("sync others", "error", "removes the column `lname`, but its result has none")
    assert found.exit_code == 2


def test_check_with_errors_exits_2(faulty: _Check) -> None:
    """Query errors exit 2, even if databases are unreachable as well."""
    assert faulty.exit_code == 2
    assert "see the table" in faulty.log


def test_check_gives_the_statements_of_a_minimal_login(faulty: _Check) -> None:
    """An administrator's login is answered with the statements for a read-only one."""
    for statement in (
        "CREATE LOGIN",
        "USE [shop];",
        "CREATE USER",
        "GRANT SELECT ON [dbo].[users] TO",
    ):
        assert faulty.output.count(statement) == 1


def test_correct_comparison_is_not_a_finding(faulty: _Check) -> None:
    """Comparing a date-time with a date-time is not a finding."""
    assert {level for level, _ in faulty.of("sync right")} == {"ok"}


def test_check_shows_no_password_and_no_message(faulty: _Check) -> None:
    """Neither the table nor the log has passwords, and stdout has no Singer messages."""
    text = faulty.output + faulty.log
    assert not any(part in text for part in ("canary", "Sandbox-1", '"type"', "SCHEMA"))


def test_check_runs_no_query(faulty: _Check, engine: _RecordingEngine) -> None:
    """The server describes queries, but runs none of a sync."""
    run = [batch for batch in engine.batches if "userId" in batch or "fname" in batch]
    assert (run, any("SERVERPROPERTY" in batch for batch in engine.batches)) == ([], True)


def test_check_of_the_sample_shop_is_clean(check: Callable[..., _Check]) -> None:
    """Correct syncs exit 0 with only ok findings."""
    found = check(SYNCS)
    assert (found.exit_code, {level for _, level, _ in found.rows}) == (0, {"ok"})
    assert found.has("sync subscriptions", "ok", "traits.subscription.monthlyPrice money")
    assert "can lose rows" not in found.output


def _documented_syncs() -> dict[str, list[dict[str, Any]]]:
    """The syncs that the README and meltano.yml show."""
    blocks = re.findall(r"```json\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    (extractor,) = yaml.safe_load((ROOT / "meltano.yml").read_text())["plugins"]["extractors"]
    return {
        "README": next(json.loads(block)["syncs"] for block in blocks if '"syncs"' in block),
        "meltano.yml": extractor["config"]["syncs"],
    }


@pytest.mark.parametrize("page", ["README", "meltano.yml"])
def test_check_of_documented_syncs_is_clean(check: Callable[..., _Check], page: str) -> None:
    """Whoever copies an example gets no finding."""
    found = check(_documented_syncs()[page])
    assert (found.exit_code, {level for _, level, _ in found.rows}) == (0, {"ok"})
    assert "can lose rows" not in found.output


def test_warnings_alone_exit_0(check: Callable[..., _Check]) -> None:
    """An administrator's login and a query without a variable are not errors."""
    found = check([_sync("all", "SELECT id AS userId FROM users", database="admin")])
    assert (found.exit_code, {level for _, level, _ in found.rows}) == (0, {"ok", "warning"})


@pytest.mark.parametrize("sync", [FAULTY[4], {**FAULTY[6], "database": "wrong"}])
def test_server_error_alone_exits_3(check: Callable[..., _Check], sync: dict[str, Any]) -> None:
    """A database or table that the login may not read exits 3."""
    found = check([sync])
    assert (found.exit_code, "error" in {level for _, level, _ in found.rows}) == (3, True)


class _OldServer:
    """Responds like SQL Server 2012."""

    def fetch_all(self, sql: str) -> list[tuple[object, ...]]:
        """One row: version, database, and 0 for every permission."""
        return [("11.0.7001.0", "a]b", *[0] * (sql.count("IS_") + sql.count("HAS_")))]


def test_old_server_is_a_warning() -> None:
    """Versions before SQL Server 2014 give a warning."""
    findings = list(check_database(_OldServer(), "host", []))  # type: ignore[arg-type]
    assert [finding.level for finding in findings] == [Level.OK, Level.WARNING, Level.OK]
    assert "12.0" in findings[1].message


@pytest.mark.parametrize(
    ("query", "tables"),
    [
        ("SELECT * FROM t JOIN T AS u ON 1 = 1", "ON [dbo].[t] TO"),
        ("WITH c AS (SELECT x FROM [a b].[z]]z]) SELECT x FROM c", "ON [a b].[z]]z] TO"),
        ("SELECT x FROM shop.crm.t, other.dbo.u, sys.tables", "ON [crm].[t] TO"),
        ("SELECT x FROM dbo.changes(1) CROSS APPLY OPENJSON(j)", "ON [dbo].[changes] TO"),
        ("SELECT FROM WHERE", "TO"),
    ],
)
def test_grant_is_for_the_tables_of_the_query(query: str, tables: str) -> None:
    """The whole database is granted only if the tables are not known."""
    grants = [line for line in login_script("shop", [query]).splitlines() if "GRANT" in line]
    assert grants == [f"GRANT SELECT {tables} reverse_etl;"]
