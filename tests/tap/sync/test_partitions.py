"""Syncs that are read by ranges, run as a program against SQL Server over TDS."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.sql_server.faults import AnswerError, BatchFault
from sandbox.sql_server.results import SqlError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sandbox.sql_server.faults import Answer
    from sandbox.sql_server.server import SqlServer
    from tests.tap.conftest import TapRun

    RunTap = Callable[..., TapRun]

ROWS = 200
COLUMNS = {
    "number": "CAST(n AS bigint)",
    "day": "DATEADD(day, n / 3, CAST('2026-01-01' AS date))",
    "moment": "DATEADD(minute, n, CAST('2026-01-01T00:00:00' AS datetime2(3)))",
    "old_moment": "DATEADD(minute, n, CAST('2026-01-01T00:00:00' AS datetime))",
    "guid": "CAST(CONCAT(RIGHT(CONCAT('0000000', n), 8), '-0000-0000-0000-0000000000', "
    "RIGHT(CONCAT('0', n % 100), 2)) AS uniqueidentifier)",
}


SECOND_RANGE = "[number] >= 50 "  # of four


def _answer(number: int, text: str = "broken") -> AnswerError:
    return AnswerError(matching=SECOND_RANGE, error=SqlError(number, text, severity=13))


@pytest.fixture(scope="module", autouse=True)
def numbers(connection: dict[str, Any], run_sql: Callable[[str], object]) -> None:
    """A table with a column of each key type, and one row of NULLs."""
    run_sql("DROP TABLE IF EXISTS retl_test_numbers")
    run_sql(
        "CREATE TABLE retl_test_numbers (id int, number bigint, day date, moment datetime2(3), "
        "old_moment datetime, guid uniqueidentifier, last_updated bigint)"
    )
    for n in range(ROWS):
        values = ", ".join(COLUMNS.values()).replace("n ", f"{n} ").replace("n)", f"{n})")
        values = values.replace("(n AS", f"({n} AS").replace(", n,", f", {n},")
        run_sql(f"INSERT INTO retl_test_numbers SELECT {n}, {values}, 10")
    run_sql("INSERT INTO retl_test_numbers VALUES (-1, NULL, NULL, NULL, NULL, NULL, 10)")


def _sync(**settings: Any) -> dict[str, Any]:
    query = "SELECT id AS userId, number, day, moment, old_moment, guid FROM retl_test_numbers"
    return {"name": "s", "type": "identify", "query": query, **settings}


def _ids(run: TapRun) -> list[int]:
    return [record["userId"] for record in run.records("s")]


def _bookmarks(run: TapRun) -> list[dict[str, Any]]:
    """Those of the sync in all STATEs but the first, which is the one that the run was given."""
    return [message["value"]["bookmarks"]["s"] for message in run.of_type("STATE")[1:]]


ALL = sorted([-1, *range(ROWS)])


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("reader", ["arrow", "odbc"])
def test_partitions_have_all_rows_once(
    run_tap: RunTap, config: dict[str, Any], column: str, reader: str
) -> None:
    """Both readers read every row once, including the row of NULLs."""
    sync = _sync(partition_column=column, partitions=7)

    run = run_tap({**config, "reader": reader, "syncs": [sync]})

    assert run.exit_code == 0, run.log
    assert sorted(_ids(run)) == ALL
    assert run.state is not None
    assert set(run.state["bookmarks"]["s"]) == {"last_sync_time", "query_fingerprint"}


@pytest.mark.parametrize(
    "option", [{"partition_column": "n", "partitions": 3}, {"order_column": "n"}]
)
def test_decimals_of_any_size_are_read_in_parts(
    run_tap: RunTap, config: dict[str, Any], run_sql: Any, option: dict[str, Any]
) -> None:
    """Values of more than 64 bits stand in the state, from which the run is resumed."""
    values = [-(10**38) + 1, -(2**63) - 1, 0, 2**63, 2**64, 10**38 - 1]
    run_sql("DROP TABLE IF EXISTS wide")
    run_sql("CREATE TABLE wide (n decimal(38, 0))")
    for value in values:
        run_sql(f"INSERT INTO wide VALUES ({value})")
    sync = _sync(query="SELECT CAST(n AS varchar(50)) AS userId, n FROM wide", **option)

    run = run_tap({**config, "syncs": [sync]})
    states = [message["value"] for message in run.of_type("STATE")]
    resumed = run_tap({**config, "syncs": [sync]}, state=states[-2])

    assert (run.exit_code, resumed.exit_code) == (0, 0)
    read = {record["n"] for record in run.records(sync["name"])}
    assert read == {*values}
    assert read >= {record["n"] for record in resumed.records(sync["name"])}


def test_state_has_an_entry_for_each_partition(run_tap: RunTap, config: dict[str, Any]) -> None:
    """Entries have the SDK's structure and are written before the first row."""
    run = run_tap({**config, "syncs": [_sync(partition_column="number", partitions=4)]})

    states = _bookmarks(run)
    done = [["last_sync_time" in entry for entry in s.get("partitions", ())] for s in states]
    assert done == [
        [False] * 4,
        [True, False, False, False],
        [True, True, False, False],
        [True, True, True, False],
        [True] * 4,
        [],
    ]
    assert [entry["context"] for entry in states[0]["partitions"]] == [
        {"column": "number", "to": 50},
        {"column": "number", "from": 50, "to": 100},
        {"column": "number", "from": 100, "to": 150},
        {"column": "number", "from": 150},
    ]
    assert "last_sync_time" not in states[0]
    assert states[0]["unfinished"]["sync_time"] == states[-1]["last_sync_time"]


def test_partition_rows_decides_how_many(run_tap: RunTap, config: dict[str, Any]) -> None:
    """201 rows give four partitions of about 60; a few rows give one."""
    many = run_tap({**config, "syncs": [_sync(partition_column="number", partition_rows=60)]})
    one = run_tap({**config, "syncs": [_sync(partition_column="number", partition_rows=1000)]})

    assert len(_bookmarks(many)[0]["partitions"]) == 4
    assert len(_bookmarks(one)[0]["partitions"]) == 1
    assert sorted(_ids(one)) == ALL


def test_run_resumes_with_unread_partitions(
    run_tap: RunTap, config: dict[str, Any], server: SqlServer
) -> None:
    """The original times are kept, so repeats are identical calls; then the bookmark moves."""
    config["syncs"] = [
        _sync(
            query="SELECT id AS userId, number, {{sync_time}} AS t FROM retl_test_numbers",
            partition_column="number",
            partitions=4,
        )
    ]
    before = {"bookmarks": {"s": {"last_sync_time": 5, "mine": 1}}}
    server.faults.add(_answer(50_000))

    first = run_tap(config, state=before)
    server.faults.clear()
    assert first.state is not None
    began = first.state["bookmarks"]["s"]["unfinished"]["sync_time"] - 100
    state = json.dumps(first.state).replace(str(began + 100), str(began))
    second = run_tap(config, state=state)

    assert first.exit_code == 3
    assert sorted(_ids(first) + _ids(second)) == ALL
    assert not set(_ids(first)) & set(_ids(second))
    assert {record["t"] for record in second.records("s")} == {began}
    assert second.state is not None
    bookmark = second.state["bookmarks"]["s"]
    assert (bookmark["last_sync_time"], bookmark["mine"]) == (began, 1)
    assert {m["schema"]["x-last-sync-time"] for m in second.of_type("SCHEMA")} == {5}
    assert "resumes an interrupted run" in second.log


def test_transient_error_is_retried_between_partitions(
    run_tap: RunTap, config: dict[str, Any], server: SqlServer
) -> None:
    """A partition is retried, although rows of earlier ones have been written."""
    server.faults.add(_answer(1205, "deadlocked on lock resources"))

    run = run_tap({**config, "syncs": [_sync(partition_column="number", partitions=4)]})

    assert run.exit_code == 0, run.log
    assert sorted(_ids(run)) == ALL
    assert "Trying again" in run.log


def test_transient_error_is_retried_within_an_ordered_read(
    run_tap: RunTap,
    config: dict[str, Any],
    server: SqlServer,
    run_sql: Callable[[str], object],
) -> None:
    """The retry resumes at the last value in a STATE: earlier rows are not read again."""
    run_sql("DROP TABLE IF EXISTS retl_test_many")
    run_sql("CREATE TABLE retl_test_many (id int)")
    for start in range(0, 3000, 1000):
        values = ", ".join(f"({n})" for n in range(start, start + 1000))
        run_sql(f"INSERT INTO retl_test_many VALUES {values}")
    error = SqlError(1205, "deadlocked on lock resources", severity=13)
    server.faults.add(AnswerError(matching="ORDER BY [userId]", error=error, after_rows=2500))

    sync = _sync(query="SELECT id AS userId FROM retl_test_many", order_column="userId")
    run = run_tap({**config, "syncs": [sync]})

    assert run.exit_code == 0, run.log
    assert "Trying again" in run.log
    assert set(_ids(run)) == set(range(3000))
    assert len(_ids(run)) < 5000


def test_row_that_moves_between_ranges_is_not_missed(
    run_tap: RunTap,
    config: dict[str, Any],
    server: SqlServer,
    run_sql: Callable[[str], object],
) -> None:
    """A row that moves into a range that was already read is in the next run."""
    since = "WHERE last_updated >= {{last_sync_time}}"
    query = f"SELECT id AS userId, number FROM retl_test_numbers {since}"
    config["syncs"] = [_sync(query=query, partition_column="number", partitions=2)]

    class _Move(BatchFault):
        """Moves a row while the second partition is queried."""

        def disturb(self, results: Iterator[Any], _: Answer, /) -> Iterator[Any]:
            run_sql(
                "UPDATE retl_test_numbers SET number = 1, "
                "last_updated = DATEDIFF_BIG(second, '1970-01-01', SYSUTCDATETIME()) WHERE id = 150"
            )
            yield from results

    server.faults.add(_Move(matching="[number] >= 100"))
    try:
        first = run_tap(config)
        server.faults.clear()
        second = run_tap(config, state=first.state)
    finally:
        run_sql("UPDATE retl_test_numbers SET number = id, last_updated = 10 WHERE id = 150")

    assert 150 in set(_ids(first)) | set(_ids(second))
    assert 150 in _ids(second)


@pytest.mark.parametrize("change", ["query", "column", "resync"])
def test_changed_run_starts_over(
    run_tap: RunTap, config: dict[str, Any], server: SqlServer, change: str
) -> None:
    """Another query, another column, and --resync start over."""
    server.faults.add(_answer(50_000))
    first = run_tap(
        {**config, "syncs": [_sync(partition_column="number", partitions=4)]},
        state={"bookmarks": {"s": {"last_sync_time": 5}}},
    )
    server.faults.clear()
    changed = {
        "query": _sync(
            query="SELECT id AS userId, number, 1 AS x FROM retl_test_numbers",
            partition_column="number",
            partitions=4,
        ),
        "column": _sync(partition_column="day", partitions=4),
        "resync": _sync(partition_column="number", partitions=4),
    }[change]
    arguments = ("--resync", "s") if change == "resync" else ()

    run = run_tap({**config, "syncs": [changed]}, *arguments, state=first.state)

    assert sorted(_ids(run)) == ALL
    expected = 0 if change == "resync" else 5
    assert {m["schema"]["x-last-sync-time"] for m in run.of_type("SCHEMA")} == {expected}


def test_backfill_by_partitions_moves_no_bookmark(run_tap: RunTap, config: dict[str, Any]) -> None:
    """A backfill leaves neither a bookmark nor an unfinished run."""
    query = (
        "SELECT id AS userId, number FROM retl_test_numbers "
        "WHERE last_updated >= {{last_sync_time}} AND last_updated < {{sync_time}}"
    )
    sync = _sync(query=query, partition_column="number", partitions=4)
    state = {"bookmarks": {"s": {"last_sync_time": 5}}}

    run = run_tap({**config, "syncs": [sync]}, "--since", "0", "--until", "20", state=state)

    assert sorted(_ids(run)) == ALL
    assert run.state == state


@pytest.mark.parametrize("column", COLUMNS)
def test_ordered_read_resumes_after_the_last_row(
    run_tap: RunTap, config: dict[str, Any], column: str
) -> None:
    """Every STATE can be resumed: no row is missing, few are repeated."""
    config["syncs"] = [_sync(order_column=column)]
    whole = run_tap(config)
    unfinished = _bookmarks(whole)[0]["unfinished"]
    middle = whole.records("s")[100]
    value = middle[column]
    if column in ("moment", "old_moment"):
        value = value.removesuffix("Z").removesuffix("00:00")
    state = {"bookmarks": {"s": {"unfinished": {**unfinished, "order_value": value}}}}

    rest = run_tap(config, state=state)

    assert sorted(_ids(whole)) == ALL
    expected = [record["userId"] for record in whole.records("s") if record[column] is not None]
    start = next(i for i, u in enumerate(expected) if u == middle["userId"])
    assert set(expected[start:]) <= set(_ids(rest))
    assert len(_ids(rest)) <= len(expected) - start + 3
    assert rest.exit_code == 0
    assert rest.state is not None
    assert set(rest.state["bookmarks"]["s"]) == {"last_sync_time", "query_fingerprint"}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"partition_column": "number"}, "needs either `partitions` or `partition_rows`"),
        (
            {"partition_column": "number", "partitions": 2, "partition_rows": 5},
            "needs either `partitions` or `partition_rows`",
        ),
        ({"partitions": 2}, "`partitions` needs a `partition_column`"),
        ({"partition_rows": 2}, "`partition_rows` needs a `partition_column`"),
        (
            {"partition_column": "number", "partitions": 2, "order_column": "number"},
            "either `partition_column` or `order_column`",
        ),
        (
            {"type": "track", "partition_column": "number", "partitions": 2},
            "events of one person may be reordered",
        ),
    ],
)
def test_contradictory_settings_are_refused(
    run_tap: RunTap, config: dict[str, Any], settings: dict[str, Any], words: str
) -> None:
    """The settings are refused before anything is read."""
    run = run_tap({**config, "syncs": [_sync(**settings)]})

    assert run.exit_code == 2
    assert words in run.log


@pytest.mark.parametrize(
    "settings",
    [
        {"partition_column": "userId", "partitions": 2},
        {"partition_column": "number", "partitions": 2, "allow_reordering": True},
    ],
)
def test_events_may_be_partitioned(
    run_tap: RunTap, config: dict[str, Any], settings: dict[str, Any]
) -> None:
    """Events may be partitioned by the person's id, or if their order does not matter."""
    run = run_tap({**config, "syncs": [_sync(type="track", **settings)]})

    assert (run.exit_code, len(_ids(run))) == (0, ROWS + 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"partitions": [{"context": {"column": "number", "to": 5}}]},
        {
            "partitions": [
                {"context": {"column": "number", "to": "1; DROP TABLE retl_test_numbers"}}
            ]
        },
        {"unfinished": 5},
        {"unfinished": {"sync_time": "x"}},
    ],
)
def test_unreadable_progress_is_refused(
    run_tap: RunTap, config: dict[str, Any], changes: dict[str, Any]
) -> None:
    """A damaged state loses no row and runs no SQL."""
    config["syncs"] = [_sync(partition_column="number", partitions=2)]
    whole = run_tap(config)
    bookmark = _bookmarks(whole)[0]

    run = run_tap(config, state={"bookmarks": {"s": {**bookmark, **changes}}})

    assert run.exit_code == 2, run.log
    assert "unfinished run" in run.log
    assert _ids(run) == []


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            {"query": "SELECT TOP 5 id AS userId FROM retl_test_numbers", "order_column": "userId"},
            "TOP",
        ),
        ({"partition_column": "nothing", "partitions": 2}, "nothing is not in the result"),
        (
            {"query": "SELECT id AS userId, 'x' AS a FROM retl_test_numbers", "order_column": "a"},
            "varchar",
        ),
        (
            {
                "query": "SELECT id AS userId FROM retl_test_numbers ORDER BY id",
                "order_column": "userId",
            },
            "ORDER",
        ),
        ({"partition_column": "number", "partitions": 2}, ""),
    ],
)
def test_check_finds_what_cannot_be_read_by_ranges(
    start_tap: Callable[..., Any], config: dict[str, Any], settings: dict[str, Any], words: str
) -> None:
    """--check reports the reason, a missing column, and an unsupported type."""
    process = start_tap({**config, "syncs": [_sync(**settings)]}, "--check")
    output, log = process.communicate(timeout=60)

    assert process.returncode == (2 if words else 0), log
    assert words in output
