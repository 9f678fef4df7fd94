"""The tap's connections to SQL Server over TDS: drivers, TLS, faults, locks."""

from __future__ import annotations

import re
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.sql_server.canned import CannedResult
from sandbox.sql_server.engine import DuckDBEngine
from sandbox.sql_server.faults import (
    AnswerError,
    CloseAfterBytes,
    CloseAfterRows,
    Delay,
    EndEarly,
    RefuseLogin,
)
from sandbox.sql_server.results import Column, SqlError, SqlType
from sandbox.sql_server.server import SqlServer
from tests.sandbox.drivers import FREETDS_DRIVER, ODBC_DRIVER, odbc18

if TYPE_CHECKING:
    from collections.abc import Callable

QUERY = "SELECT id, email FROM retl_test_users WHERE last_updated >= {{last_sync_time}}"
READERS = ["arrow", "odbc"]


def _sync(**changes: Any) -> dict[str, Any]:
    return {"name": "users", "type": "identify", "query": QUERY, **changes}


@pytest.mark.parametrize("odbc_driver", [ODBC_DRIVER, FREETDS_DRIVER], ids=["microsoft", "freetds"])
def test_driver_may_be_chosen_by_path(run_tap, config, odbc_driver):
    """`odbc_driver` may name FreeTDS."""
    run = run_tap({**config, "reader": "odbc", "odbc_driver": odbc_driver, "syncs": [_sync()]})

    assert run.exit_code == 0, run.log
    assert [row["email"] for row in run.records("users")] == ["zoë@example.com", None]


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    ("encrypt", "trust", "exit_code"),
    [
        *(("no", False, 0), ("no", True, 0)),
        *(("yes", False, 3), ("yes", True, 0)),
        *(("strict", False, 0), ("strict", True, 0)),
    ],
)
def test_encryption_is_what_the_settings_say(
    run_tap, config, server, reader, encrypt, trust, exit_code
):
    """With and without TLS; a self-signed certificate is refused unless it is trusted."""
    changes = {"encrypt": encrypt, "trust_server_certificate": trust, "reader": reader}
    if encrypt == "strict":  # TDS 8 trusts no certificate but a known one
        changes["connection_options"] = {"ServerCertificate": str(server.certificate_path)}

    run = run_tap({**config, **changes, "syncs": [_sync()]})

    assert run.exit_code == exit_code, run.log


@pytest.mark.parametrize("reader", READERS)
def test_syncs_may_read_from_further_databases(run_tap, config, engine, reader):
    """Syncs choose a database of `databases` by name."""
    database = f"archive_{reader}"
    engine.create_database(database)
    engine.run(database, "CREATE TABLE old (id int); INSERT INTO old VALUES (7)")
    archive = {**config, "database": database}
    syncs = [_sync(), _sync(name="old", query="SELECT id FROM old", database="archive")]

    run = run_tap({**config, "reader": reader, "databases": {"archive": archive}, "syncs": syncs})

    assert run.exit_code == 0, run.log
    assert run.records("old") == [{"id": 7}]


@pytest.mark.parametrize("reader", READERS)
def test_session_has_the_application_name(config, server, start_tap, reader):
    """The server's list of sessions shows the tap."""
    server.faults.add(Delay(matching="last_updated"))
    start_tap({**config, "reader": reader, "syncs": [_sync()]})
    _wait_until(lambda: server.faults.fired)

    assert [session.program for session in server.sessions()] == ["tap-mssql-query"]


def _wait_until(holds: Callable[[], object]) -> None:
    for _ in range(200):
        if holds():
            return
        threading.Event().wait(0.05)
    raise TimeoutError


DEADLOCK = SqlError(1205, "Transaction was deadlocked on lock resources.", severity=13)
LOST = {
    "deadlock before rows": AnswerError(error=DEADLOCK, matching="last_updated"),
    "ended before rows": EndEarly(rows=0, matching="last_updated"),
    "lost before rows": CloseAfterRows(rows=0, matching="last_updated"),
    "busy login": RefuseLogin(
        error=SqlError(40613, "Database 'shop' on server 'db' is not currently available.")
    ),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("fault", LOST.values(), ids=list(LOST))
def test_transient_error_is_retried_before_the_first_row(run_tap, config, server, reader, fault):
    """The query is run again, and the run succeeds."""
    server.faults.add(fault)

    run = run_tap({**config, "reader": reader, "syncs": [_sync()]})

    assert run.exit_code == 0, run.log
    assert [row["id"] for row in run.records("users")] == [1, 2]
    assert "Trying again" in run.log


@pytest.mark.parametrize("reader", READERS)
def test_connection_lost_between_rows_moves_no_bookmark(run_tap, config, server, reader):
    """A truncated result is not taken for a complete one."""
    server.faults.add(CloseAfterRows(rows=1, matching="last_updated"))

    run = run_tap({**config, "reader": reader, "syncs": [_sync()]})

    if run.exit_code == 0:  # nothing had left the process: it was read again
        assert [row["id"] for row in run.records("users")] == [1, 2]
    else:
        assert run.exit_code == 3
        assert run.state is None or "users" not in run.state.get("bookmarks", {})


@pytest.mark.parametrize("reader", READERS)
def test_result_that_ends_early_moves_no_bookmark(run_tap, config, server, reader):
    """It looks whole to the driver; the server's own count says otherwise."""
    server.faults.add(EndEarly(rows=1, matching="last_updated"))

    run = run_tap({**config, "reader": reader, "syncs": [_sync()]})

    assert run.exit_code == 3
    assert "The result ended early: 1 of 2 rows arrived." in run.log
    assert run.state is None or "users" not in run.state.get("bookmarks", {})


CUTS = range(5, 105, 10)


@pytest.mark.parametrize("size", CUTS)
def test_truncated_result_is_read_again(run_tap, config, server, size):
    """Wherever a response is truncated, it is not taken for a complete one."""
    server.faults.add(CloseAfterBytes(size=size, matching="last_updated"))

    run = run_tap({**config, "reader": READERS[size // 10 % 2], "syncs": [_sync()]})

    assert run.exit_code == 0, run.log
    assert [row["id"] for row in run.records("users")] == [1, 2]
    assert "Trying again" in run.log


def test_result_that_is_always_truncated_moves_no_bookmark(run_tap, config, server):
    """After the last attempt the sync fails and keeps its bookmark."""
    server.faults.add(CloseAfterBytes(size=60, matching="last_updated", times=10))

    run = run_tap({**config, "reader": "odbc", "syncs": [_sync()]})

    assert (run.exit_code, run.state) == (3, None)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("password", ["a;b", "a}b", "{a}", "a}};PWD=x", "a'b\"c", "p=w d", "ü€"])
def test_password_may_contain_anything(run_tap, config, engine, reader, password):
    """Braces, semicolons and quotes neither break the connection string nor add to it."""
    name = f"odd_{password.encode().hex()}_{reader}"
    engine.add_login(name, password, role="reader")

    run = run_tap(
        {**config, "username": name, "password": password, "reader": reader, "syncs": [_sync()]}
    )

    assert run.exit_code == 0, run.log


def test_bookmark_is_by_the_server_s_clock(run_tap):
    """The server's time is stored, even if the client's clock is wrong."""
    moment = datetime(2026, 1, 2, 3, 4, 5, 999_999, tzinfo=UTC)
    ahead = DuckDBEngine(clock=lambda: moment)
    ahead.create_database("shop")
    with SqlServer(ahead) as server:
        config = {"host": "127.0.0.1", "port": server.port, "database": "shop", "encrypt": "no"}
        login = {"username": "sa", "password": "Sandbox-1"}
        run = run_tap({**config, **login, "syncs": [_sync(query="SELECT 1 AS id")]})

    assert run.state["bookmarks"]["users"]["last_sync_time"] == int(moment.timestamp())


@pytest.mark.parametrize("reader", READERS)
def test_rounding_of_datetime_loses_no_rows(run_tap, config, engine, reader):
    """Rows stamped .000, .003 and .007 of the second of the bookmark are read with `>=`."""
    engine.run(
        "shop",
        "DROP TABLE IF EXISTS stamped; CREATE TABLE stamped (id int, at datetime)",
    )
    values = [f"({n}, '2026-01-02T03:04:05.{n:03}')" for n in (0, 3, 7, 997)]
    engine.run(
        "shop",
        f"INSERT INTO stamped VALUES {', '.join(values)}, (9, '2026-01-02T03:04:04.997')",
    )
    query = "SELECT id FROM stamped WHERE at >= {{last_sync_datetime}}"
    last = int(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC).timestamp())

    run = run_tap(
        {**config, "reader": reader, "syncs": [_sync(query=query)]},
        state={"bookmarks": {"users": {"last_sync_time": last}}},
    )

    assert sorted(row["id"] for row in run.records("users")) == [0, 3, 7, 997]


@pytest.mark.parametrize("reader", READERS)
def test_overlapping_run_is_skipped(run_tap, config, server, reader):
    """While another session holds the sync's lock, the sync is skipped with a warning."""
    other = odbc18(server, UID="reader")
    other.execute(
        "EXEC sp_getapplock @Resource = N'tap-mssql-query/users', @LockMode = 'Exclusive', "
        "@LockOwner = 'Session', @LockTimeout = 0"
    )

    skipped = run_tap({**config, "reader": reader, "syncs": [_sync()]})
    other.close()
    done = run_tap({**config, "reader": reader, "syncs": [_sync()]})

    assert (skipped.exit_code, skipped.messages) == (0, [])
    assert "another run of it is in progress" in skipped.log
    assert len(done.records("users")) == 2


def test_of_two_runs_at_once_one_reads(config, server, start_tap):
    """Of two processes that start together only one reads the rows."""
    server.faults.add(Delay(matching="last_updated", seconds=2.0))
    both = [start_tap({**config, "reader": "odbc", "syncs": [_sync()]}) for _ in range(2)]

    outputs = [process.communicate(timeout=60)[0] for process in both]

    assert [process.returncode for process in both] == [0, 0]
    assert sorted(output.count('"RECORD"') for output in outputs) == [0, 2]


@pytest.mark.parametrize("reader", READERS)
def test_resync_reads_everything_again(run_tap, config, reader):
    """`--resync NAME` runs a sync as if for the first time, and moves its bookmark."""
    state = {"bookmarks": {"users": {"last_sync_time": 20}}}
    config = {**config, "reader": reader, "syncs": [_sync()]}

    assert len(run_tap(config, state=state).records("users")) == 1
    again = run_tap(config, "--resync", "users", state=state)
    assert len(again.records("users")) == 2
    assert again.state["bookmarks"]["users"]["last_sync_time"] > 20


def test_backfill_reads_a_window_and_moves_no_bookmark(run_tap, config):
    """`--since` and `--until` bound the rows that are read."""
    state = {"bookmarks": {"users": {"last_sync_time": 20}}}
    query = f"{QUERY} AND last_updated < {{{{sync_time}}}}"
    config = {**config, "syncs": [_sync(query=query)]}

    run = run_tap(config, "--since", "5", "--until", "15", state=state)

    assert [row["id"] for row in run.records("users")] == [1]
    assert run.state is None or run.state == state


def test_changed_query_is_a_warning(run_tap, config):
    """A query that has changed since the last run gives a warning with a remedy."""
    first = run_tap({**config, "syncs": [_sync()]})
    changed = _sync(query=QUERY.replace("email", "email AS mail"))

    same = run_tap({**config, "syncs": [_sync()]}, state=first.state)
    other = run_tap({**config, "syncs": [changed]}, state=first.state)

    assert "its query has changed" not in same.log
    assert "--resync users" in other.log


@pytest.mark.parametrize("reader", READERS)
def test_query_timeout_is_a_setting(run_tap, config, server, reader):
    """`query_timeout_seconds` ends a query without a response, which is then retried."""
    server.faults.add(Delay(matching="last_updated"))

    run = run_tap({**config, "reader": reader, "query_timeout_seconds": 1, "syncs": [_sync()]})

    assert run.exit_code == 0, run.log
    assert "timeout" in run.log.lower()


@pytest.mark.parametrize("reader", READERS)
def test_signal_ends_a_long_query(config, server, start_tap, reader):
    """SIGTERM during a query without a response ends the tap within seconds."""
    server.faults.add(Delay(matching="last_updated"))
    process = start_tap({**config, "reader": reader, "syncs": [_sync()]})
    _wait_until(lambda: server.faults.fired)

    process.terminate()

    assert process.wait(timeout=15) == 143
    assert "unhandled" not in process.stderr.read()


def test_closed_stdout_ends_the_tap_silently(config, server, start_tap):
    """With `| head -1` the tap has its own exit code and logs no error."""
    server.canned["SELECT many"] = CannedResult.build(
        [Column("n", SqlType("int"))], [(n,) for n in range(10_000)], repeat=20
    )
    process = start_tap({**config, "syncs": [_sync(query="SELECT many"), _sync(name="next")]})
    process.stdout.readline()
    process.stdout.close()

    assert process.wait(timeout=20) == 141
    assert "ERROR" not in process.stderr.read()


def test_slow_consumer_applies_back_pressure(config, server, start_tap):
    """Rows wait at the server, not in memory, while stdout is not read."""
    columns = [Column("id", SqlType("int")), Column("text", SqlType("nvarchar", 200))]
    rows = [(number, "x" * 200) for number in range(10_000)]
    server.canned["SELECT much"] = CannedResult.build(columns, rows, repeat=200)
    process = start_tap({**config, "syncs": [_sync(query="SELECT much")]})
    for _ in range(1000):
        process.stdout.readline()
    threading.Event().wait(2.0)

    status = Path(f"/proc/{process.pid}/status").read_text()
    (peak_kilobytes,) = re.findall(r"VmHWM:\s+(\d+) kB", status)
    assert process.poll() is None
    assert int(peak_kilobytes) < 250_000


@pytest.mark.parametrize("reader", READERS)
def test_session_has_a_lock_timeout(run_tap, config, reader):
    """A session waits at most a minute for a lock."""
    run = run_tap(
        {**config, "reader": reader, "syncs": [_sync(query="SELECT @@LOCK_TIMEOUT AS t")]}
    )

    assert run.records("users") == [{"t": 60_000}]
