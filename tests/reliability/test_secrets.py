"""Canary secrets and failures of every kind: no log, report or process list shows a secret."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.collector import Behaviour, Collector
from sandbox.sql_server.engine import DuckDBEngine
from sandbox.sql_server.faults import AnswerError, CloseAfterRows, Delay, RefuseLogin
from sandbox.sql_server.results import SqlError
from sandbox.sql_server.server import SqlServer
from tests.end_to_end.conftest import PROGRAMS
from tests.reliability.single_runs import ProgramResult, Programs
from tests.tap.sql.test_select_only import WRITING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PASSWORD, WRITE_KEY, SALT, VALUE = (f"canary-{name}-4711" for name in ("pw", "key", "salt", "row"))
QUERY = "SELECT id AS userId, email FROM users"


@pytest.fixture(scope="module")
def server() -> Iterator[SqlServer]:
    """A SQL Server whose password and only row are canaries."""
    engine = DuckDBEngine()
    engine.create_database("shop")
    engine.add_login("reader", PASSWORD, role="reader")
    engine.run("shop", "CREATE TABLE users (id int, email nvarchar(50))")
    engine.run("shop", f"INSERT INTO users VALUES (1, N'{VALUE}')")
    with SqlServer(engine) as server:
        yield server


@pytest.fixture
def programs(fork_server, tmp_path) -> Programs:
    """Both programs."""
    return Programs(fork_server, tmp_path)


def _tap_config(server: SqlServer, **changes: Any) -> dict[str, Any]:
    return {
        "host": "127.0.0.1",
        "port": server.port,
        "database": "shop",
        "username": "reader",
        "password": PASSWORD,
        "trust_server_certificate": True,
        "syncs": [{"name": "users", "type": "identify", "query": QUERY}],
        **changes,
    }


def _sync(query: str) -> dict[str, Any]:
    return {"syncs": [{"name": "users", "type": "identify", "query": query}]}


QUOTING = SqlError(245, f"Conversion failed when converting the nvarchar value '{VALUE}' to int.")
TAP_FAILURES: dict[str, dict[str, Any]] = {
    "login": {
        "faults": [RefuseLogin(error=SqlError(18456, "Login failed for user 'reader'."))] * 9
    },
    "password": {"changes": {"password": f"{PASSWORD}-no"}},
    "odd password": {"changes": {"password": f"{PASSWORD}}};{{PWD="}},
    "certificate": {"changes": {"trust_server_certificate": False}},
    "nobody listens": {"changes": {"port": 1, "login_timeout_seconds": 1}},
    "database": {"changes": {"database": "other"}},
    "driver": {"changes": {"reader": "odbc", "odbc_driver": "/no/such.so"}},
    "error that quotes a value": {"faults": [AnswerError(error=QUOTING, matching="users")]},
    "error after rows": {"faults": [AnswerError(error=QUOTING, matching="users", after_rows=1)]},
    "cut off": {"faults": [CloseAfterRows(rows=1, matching="users", times=2)]},
    "conversion": {"changes": _sync("SELECT CAST(email AS int) AS a FROM users")},
    "missing table": {"changes": _sync("SELECT a FROM missing")},
    "writes": {"changes": _sync(f"DELETE FROM users WHERE email = '{VALUE}'")},
    "setting of a wrong type": {"changes": {"password": [PASSWORD]}},
    "unknown setting": {"changes": {"passwort": PASSWORD}},
    "invalid JSON": {"text": f'{{"password": "{PASSWORD}", '},
    "invalid state": {"state": f'{{"bookmarks": "{VALUE}'},
    "invalid bookmark": {"state": {"bookmarks": {"users": {"last_sync_time": VALUE}}}},
    "check": {"arguments": ["--check"], "changes": {"password": f"{PASSWORD}-no"}},
}


@pytest.mark.parametrize("reader", ["arrow", "odbc"])
@pytest.mark.parametrize("failure", TAP_FAILURES.values(), ids=list(TAP_FAILURES))
def test_no_failure_of_the_tap_shows_a_secret(programs, server, reader, failure):
    """Neither the password nor a row's value is in the log."""
    server.faults.clear()
    server.faults.add(*failure.get("faults", []))
    config = {"reader": reader, **_tap_config(server, **failure.get("changes", {}))}

    if "text" in failure:
        done = programs.run("tap", failure["text"])
    else:
        arguments = failure.get("arguments", [])
        done = programs.run_tap(config, *arguments, state=failure.get("state"))

    assert done.exit_code in (0, 2, 3), done.log
    assert "4711" not in done.log
    assert PASSWORD not in done.output
    assert "Traceback" not in done.log


SCHEMA = {
    "type": "SCHEMA",
    "stream": "users",
    "key_properties": [],
    "schema": {"properties": {}, "x-call-type": "identify", "x-last-sync-time": 0},
}
ROW = {"type": "RECORD", "stream": "users", "record": {"userId": VALUE, "email": VALUE}}
WITHOUT_ID = {"type": "RECORD", "stream": "users", "record": {"email_x": VALUE}}
ECHO = f'{{"message": "{VALUE} {WRITE_KEY}"}}'
TARGET_FAILURES: dict[str, dict[str, Any]] = {
    **{
        f"status {status}": {"script": {"status": status, "body": ECHO, "times": None}}
        for status in (400, 401, 403, 404, 413, 429, 500)
    },
    "echo in a success": {"script": {"status": 200, "body": f"<p>{ECHO}", "times": None}},
    "redirect": {
        "script": {"status": 302, "headers": {"Location": f"http://{VALUE}/"}, "times": None}
    },
    "retry after": {
        "script": {"status": 503, "headers": {"Retry-After": WRITE_KEY}, "times": None}
    },
    "dropped": {"script": {"drop": "after", "times": None}},
    "key": {"changes": {"write_key": f"{WRITE_KEY}-no"}},
    "key with a line break": {"changes": {"write_key": f"{WRITE_KEY}\n"}},
    "key of a wrong type": {"changes": {"write_key": [WRITE_KEY]}},
    "secret of a webhook": {"changes": {"destination": "webhook", "write_key": f"whsec_{VALUE}"}},
    "nobody listens": {"changes": {"endpoint": "http://127.0.0.1:1/v1"}},
    "too large": {"changes": {"call_max_bytes": 30}},
    "call without an id": {"messages": [SCHEMA, WITHOUT_ID]},
    "stop at the first": {"messages": [SCHEMA, WITHOUT_ID], "changes": {"on_rejected": "stop"}},
    "invalid JSON": {"messages": [SCHEMA, f'{{"type": "RECORD", "record": "{VALUE}"']},
    "no schema": {"messages": [ROW]},
    "unknown call type": {"changes": {"call_types": {"users": "none"}}},
    "unknown stream": {"messages": [{**ROW, "stream": "other"}]},
    "missing key": {"messages": [{**SCHEMA, "key_properties": ["id"]}, ROW]},
    "two processes": {"changes": {"processes": 2}, "script": {"status": 403, "times": None}},
}


@pytest.mark.parametrize("failure", TARGET_FAILURES.values(), ids=list(TARGET_FAILURES))
def test_no_failure_of_the_target_shows_a_secret(programs, failure):
    """Nothing that is written holds a key; only dead letters hold row values."""
    with Collector(write_key=WRITE_KEY) as collector:
        if "script" in failure:
            collector.script([Behaviour(**failure["script"])])
        config = {
            "destination": "customerio",
            "endpoint": collector.url,
            "write_key": WRITE_KEY,
            "message_id_salt": SALT,
            "max_retry_seconds": 0.5,
            "report_path": "report.json",
            "dead_letter_path": "dead_letters.jsonl",
            **failure.get("changes", {}),
        }

        done = programs.run_target(config, failure.get("messages", [SCHEMA, ROW]))

    assert done.exit_code in (0, 2, 4, 5), done.log
    assert "4711" not in f"{done.log}{done.output}{_read(programs, 'report.json')}"
    assert "Traceback" not in done.log
    letters = _read(programs, "dead_letters.jsonl")
    assert WRITE_KEY not in letters
    assert SALT not in letters


def _read(programs: Programs, name: str) -> str:
    path = programs.folder / name
    return path.read_text() if path.exists() else ""


def test_canaries_reach_the_data(programs, server):
    """The tap's output, a dead letter and a request hold the value: the checks could find it."""
    server.faults.clear()
    with Collector(write_key=WRITE_KEY) as collector:
        config = {"destination": "customerio", "endpoint": collector.url, "write_key": WRITE_KEY}

        read = programs.run_tap(_tap_config(server))
        sent = programs.run("target", config, lines=read.output.encode())
        small = {**config, "call_max_bytes": 30}
        refused = programs.run("target", small, lines=read.output.encode())

        assert (read.exit_code, sent.exit_code, refused.exit_code) == (0, 0, 0), refused.log
        assert VALUE in read.output
        assert VALUE in _read(programs, "dead_letters.jsonl")
        assert [call.body["traits"] for call in collector.calls] == [{"email": VALUE}]


def test_no_secret_is_in_the_process_list(server, tmp_path):
    """No command line of a program or worker shows a secret to other users of the machine."""
    server.faults.clear()
    server.faults.add(Delay(matching="users"))
    target = {
        "destination": "file",
        "write_key": WRITE_KEY,
        "message_id_salt": SALT,
        "processes": 2,
    }
    for name, config in (("tap", _tap_config(server)), ("target", target)):
        (tmp_path / f"{name}.json").write_text(json.dumps(config))
    tap = f"{PROGRAMS}/tap-mssql-query --config tap.json"
    command = f"{tap} | {PROGRAMS}/target-pipelines --config target.json"
    with subprocess.Popen(
        ["bash", "-c", command], cwd=tmp_path, stderr=subprocess.DEVNULL, start_new_session=True
    ) as process:
        _wait_until(lambda: server.faults.fired and "--config" in _command_lines(process.pid))
        shown = _command_lines(process.pid)
        os.killpg(process.pid, 9)

    assert "tap.json" in shown
    assert "target.json" in shown
    assert "4711" not in shown


def _command_lines(session: int) -> str:
    """The command lines of all processes of a session, as `ps` shows them."""
    found = ""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if os.getsid(int(folder.name)) == session:
                found += (folder / "cmdline").read_text().replace("\0", " ") + "\n"
        except (ProcessLookupError, FileNotFoundError):
            continue
    return found


def _wait_until(holds: Callable[[], object]) -> None:
    for _ in range(1500):
        if holds():
            return
        threading.Event().wait(0.02)
    raise TimeoutError


def test_files_with_rows_are_readable_by_their_owner_only(server, tmp_path):
    """Calls, dead letters and the state have mode 0600, even with umask 0."""
    server.faults.clear()
    config = _tap_config(server)
    config["syncs"].append({"name": "nameless", "type": "track", "query": QUERY})
    target = {"destination": "file", "output_path": "calls.jsonl"}
    for name, content in (("tap", config), ("target", target)):
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    files = ["--tap", "tap.json", "--target", "target.json", "--state", "state.json"]

    done = subprocess.run(
        [f"{PROGRAMS}/mssql-reverse-etl", "run", *files], cwd=tmp_path, umask=0, check=False,
        capture_output=True, timeout=60,
    )  # fmt: skip
    replay = [f"{PROGRAMS}/target-pipelines", "--config", "target.json", "--replay"]
    again = subprocess.run(
        [*replay, "dead_letters.jsonl"], cwd=tmp_path, umask=0, check=False, capture_output=True
    )

    assert (done.returncode, again.returncode) == (0, 0), done.stderr
    names = ("calls.jsonl", "dead_letters.jsonl", "state.json")
    modes = {name: stat.S_IMODE((tmp_path / name).stat().st_mode) for name in names}
    assert modes == dict.fromkeys(names, 0o600)
    assert VALUE in (tmp_path / "dead_letters.jsonl").read_text()


# Queries that write


def _write_config(server: SqlServer) -> tuple[dict[str, Any], list[str]]:
    """Forty syncs that write, with a login that is allowed to."""
    queries = [query for query in WRITING if query.strip()][:: max(len(WRITING) // 42, 1)][:40]
    syncs = [
        {"name": f"write-{number}", "type": "identify", "query": query}
        for number, query in enumerate(queries)
    ]
    return {**_tap_config(server), "username": "writer", "syncs": syncs}, queries


@pytest.fixture
def writable() -> Iterator[SqlServer]:
    """A SQL Server with the tables that the queries name, and an administrator's login."""
    engine = DuckDBEngine()
    engine.create_database("shop")
    engine.add_login("writer", PASSWORD, role="administrator")
    for table in ("t", "u"):
        engine.run("shop", f"CREATE TABLE {table} (a int)")
        engine.run("shop", f"INSERT INTO {table} VALUES (1), (2)")
    with SqlServer(engine) as server:
        yield server


def _rows_of(programs: Programs, server: SqlServer) -> list[Any]:
    queries = {"t": "SELECT a FROM t", "u": "SELECT a FROM u"}
    syncs = [{"name": n, "type": "identify", "query": query} for n, query in queries.items()]
    config = {**_tap_config(server), "username": "writer", "syncs": syncs}
    done: ProgramResult = programs.run_tap(config)
    assert done.exit_code == 0, done.log
    return [(m["stream"], m["record"]["a"]) for m in done.of_type("RECORD")]


@pytest.mark.parametrize("arguments", [(), ("--check",)], ids=["run", "check"])
def test_forty_attempts_to_write_are_refused(programs, writable, arguments):
    """Each one is reported by name, none reaches a table, and no bookmark moves."""
    config, queries = _write_config(writable)
    before = _rows_of(programs, writable)

    done = programs.run_tap(config, *arguments)

    assert len(queries) == 40
    assert done.exit_code in (2, 3)
    said = f"{done.log}{done.output}"
    assert [name for name in (s["name"] for s in config["syncs"]) if name not in said] == []
    if not arguments:
        assert done.of_type("RECORD") == []
        assert done.log.count("The query is not run.") == 40
        states = [m["value"]["bookmarks"] for m in done.of_type("STATE")]
        assert not any("last_sync_time" in mark for state in states for mark in state.values())
    assert _rows_of(programs, writable) == before == [("t", 1), ("t", 2), ("u", 1), ("u", 2)]
