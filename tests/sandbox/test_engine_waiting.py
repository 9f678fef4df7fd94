"""Application locks, WAITFOR, and cancelling statements that wait or run."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from sandbox.sql_server.engine import DuckDBEngine
from tests.sandbox.engine_batches import PASSWORD, error, results, row

if TYPE_CHECKING:
    from sandbox.sql_server.results import EngineSession

_GET = (
    "DECLARE @r int; EXEC @r = sp_getapplock @Resource = N'sync', @LockMode = 'Exclusive', "
    "@LockOwner = 'Session', @LockTimeout = {}; SELECT @r"
)
_RELEASE = "EXEC sp_releaseapplock @Resource = N'sync', @LockOwner = 'Session'"
_TEST = "SELECT APPLOCK_TEST('public', 'sync', '{}', 'Session')"


@pytest.fixture
def engine() -> DuckDBEngine:
    """An engine with one database."""
    engine = DuckDBEngine()
    engine.create_database("shop")
    engine.add_login("reader", PASSWORD)
    return engine


def _session(engine: DuckDBEngine) -> EngineSession:
    return engine.login("reader", PASSWORD, "shop")


def test_lock_is_held_until_released(engine: DuckDBEngine) -> None:
    """A session's lock excludes others until released; the session may take it again."""
    holder, other = _session(engine), _session(engine)
    assert row(holder, _GET.format(0)) == row(holder, _GET.format(0)) == [0]
    assert row(other, _GET.format(0)) == [-1]
    assert row(other, _GET.format(10)) == [-1]
    results(holder, _RELEASE)
    assert row(other, _TEST.format("Shared")) == [0]
    results(holder, _RELEASE)
    assert row(other, _GET.format(0)) == [0]


def test_lock_ends_with_its_session(engine: DuckDBEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Closing a session releases its locks; a waiting session gets the lock with status 1."""
    holder, other = _session(engine), _session(engine)
    assert row(holder, _GET.format(0)) == [0]
    is_waiting = threading.Event()
    changed = engine._instance.locks._changed
    wait = changed.wait

    def announce(timeout: float | None = None) -> bool:
        is_waiting.set()  # the holder's close() blocks until this thread waits
        return wait(timeout)

    def close() -> None:
        is_waiting.wait()
        holder.close()

    monkeypatch.setattr(changed, "wait", announce)
    closing = threading.Thread(target=close)
    closing.start()
    assert row(other, _GET.format(60_000)) == [1]
    closing.join()


def test_shared_locks_are_compatible(engine: DuckDBEngine) -> None:
    """Shared locks are compatible with each other, but not with an exclusive one."""
    first, second = _session(engine), _session(engine)
    shared = _GET.format(0).replace("Exclusive", "Shared")
    assert row(first, shared) == row(second, shared) == [0]
    assert row(second, _TEST.format("Exclusive")) == [0]
    assert row(second, "SELECT APPLOCK_MODE('public', 'sync', 'Session')") == ["Shared"]


def test_lock_is_of_its_database(engine: DuckDBEngine) -> None:
    """The same name in another database is another lock."""
    engine.create_database("other")
    assert row(_session(engine), _GET.format(0)) == [0]
    assert row(engine.login("sa", PASSWORD, "other"), _GET.format(0)) == [0]


def test_lock_of_a_transaction_ends_with_it(engine: DuckDBEngine) -> None:
    """A lock owned by the transaction requires one, and is released by COMMIT."""
    holder, other = _session(engine), _session(engine)
    sql = _GET.format(0).replace("'Session'", "'Transaction'")
    assert row(holder, sql) == [-999]
    assert row(holder, f"BEGIN TRAN; {sql}") == [0]
    assert row(other, _TEST.format("Exclusive")) == [0]
    results(holder, "COMMIT")
    assert row(other, _TEST.format("Exclusive")) == [1]


def test_call_with_parameters_takes_the_lock(engine: DuckDBEngine) -> None:
    """A procedure called by RPC receives its arguments as parameters."""
    sql = (
        "EXEC sp_getapplock @Resource = @Resource, @LockMode = @LockMode, @LockOwner = @LockOwner, "
        "@LockTimeout = @LockTimeout"
    )
    values = {"@Resource": "sync", "@LockMode": "Exclusive", "@LockOwner": "Session"}
    results(_session(engine), sql, {**values, "@LockTimeout": 0})
    assert row(_session(engine), _TEST.format("Exclusive")) == [0]


def test_unheld_lock_cannot_be_released(engine: DuckDBEngine) -> None:
    """Releasing a lock that is not held is error 1223."""
    assert error(_session(engine), _RELEASE).number == 1223


_ENDLESS = {
    "waiting": "WAITFOR DELAY '00:01:00'",
    "looping": "WHILE 1 = 1 SET NOCOUNT ON",
    "working": (
        "WITH n AS (SELECT * FROM (VALUES (1), (2), (3), (4), (5), (6), (7), (8)) v (i)) "
        "SELECT COUNT(*) FROM n a, n b, n c, n d, n e, n f, n g, n h, n i, n j, n k, n l, n m"
    ),
    "locked out": _GET.format(-1).replace("; SELECT @r", "; SELECT 1 / (@r + 2)"),
}


@pytest.mark.parametrize("case", _ENDLESS)
def test_cancel_ends_what_runs(engine: DuckDBEngine, case: str) -> None:
    """Cancelling from another thread ends the statement at once; the session stays usable."""
    holder, session = _session(engine), _session(engine)
    results(holder, _GET.format(0))
    cancelling = threading.Timer(0.1, session.cancel)
    cancelling.start()
    assert error(session, _ENDLESS[case]).number in (3617, 8134)
    cancelling.join()
    assert row(session, "SELECT 1") == [1]


def test_many_sessions_at_once(engine: DuckDBEngine) -> None:
    """Sessions in separate threads write and read without interference."""
    engine.run("shop", "CREATE TABLE n (i int)")
    failures: list[Exception] = []

    def work(number: int) -> None:
        session = engine.login("sa", PASSWORD, "shop")
        try:
            for _ in range(5):
                results(session, f"INSERT n VALUES ({number}); SELECT COUNT(*) FROM n")
        except Exception as problem:  # noqa: BLE001 - reported below
            failures.append(problem)
        session.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert engine.run("shop", "SELECT COUNT(*) FROM n") == [(40,)]
