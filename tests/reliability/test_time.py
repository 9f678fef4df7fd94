from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sandbox.sql_server.engine import DuckDBEngine
from sandbox.sql_server.server import SqlServer
from tests.reliability.histories import Rules, run_histories
from tests.reliability.single_runs import Programs

SEED = 20_260_306


def test_no_row_is_missed_inside_the_window():
    """A row that is committed within `lookback_seconds` of its timestamp is read."""
    counts = run_histories(1_000, SEED)

    assert counts.missed == 0, SEED
    assert counts.seen_twice > 0


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_no_row_is_missed_in_many_histories():
    """The same for more histories, from another seed."""
    assert run_histories(10_000, SEED + 1).missed == 0, SEED + 1


@pytest.mark.parametrize(
    "rules",
    [
        Rules(late_seconds=600),
        Rules(includes_equal=False),
        Rules(clock_error=3600),
        Rules(covers_overlap=False),
    ],
    ids=["later than the lookback", "> for >=", "client's clock", "repeated hour"],
)
def test_rows_are_missed_outside_the_window(rules):
    """Histories outside the documented conditions do lose rows, and the check notices."""
    assert run_histories(300, SEED, rules).missed > 0, SEED


def test_early_bookmark_only_repeats():
    """A bookmark that is an hour early causes repeats and misses nothing."""
    assert run_histories(300, SEED, Rules(clock_error=-3600)).missed == 0, SEED


def test_same_seed_gives_the_same_histories():
    """A history that failed can be run again."""
    assert run_histories(20, 1) == run_histories(20, 1) != run_histories(20, 2)


@pytest.mark.parametrize(("delay", "is_read"), [(30, True), (31, False)])
def test_late_commit_is_read_over_the_wire(fork_server, tmp_path, delay, is_read):
    """A row that is as late as `lookback_seconds` is read; a later one is not."""
    now = 1_790_000_000
    engine = DuckDBEngine(clock=lambda: datetime.fromtimestamp(now, UTC))
    engine.create_database("shop")
    engine.add_login("reader", "Sandbox-1", role="reader")
    engine.run("shop", "CREATE TABLE late (id int, at int)")
    query = "SELECT id FROM late WHERE at >= {{last_sync_time}}"
    sync = {"name": "late", "type": "identify", "query": query, "lookback_seconds": 30}
    login = {"username": "reader", "password": "Sandbox-1", "database": "shop", "encrypt": "no"}
    with SqlServer(engine) as server:
        config = {**login, "host": "127.0.0.1", "port": server.port, "syncs": [sync]}
        tap = Programs(fork_server, tmp_path)
        first = tap.run_tap(config).of_type("STATE")[-1]["value"]
        engine.run("shop", f"INSERT INTO late VALUES (1, {now - delay})")
        second = tap.run_tap(config, state=first)

    assert bool(second.of_type("RECORD")) == is_read, second.log
