"""--partition N: one partition of an unfinished run, and a STATE that is true."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.tap.conftest import TapRun

    RunTap = Callable[..., TapRun]

ROWS = 40
SYNC = {
    "name": "s",
    "type": "identify",
    "query": "SELECT id AS userId FROM retl_test_ids",
    "partition_column": "userId",
    "partitions": 4,
}
ONLY = ("--locked", "s", "--partition")


@pytest.fixture(scope="module", autouse=True)
def ids(connection: dict[str, Any], run_sql: Callable[[str], object]) -> None:
    """A table with the numbers from 0 to 39: ten in each partition."""
    run_sql("DROP TABLE IF EXISTS retl_test_ids")
    run_sql("CREATE TABLE retl_test_ids (id int)")
    run_sql(f"INSERT INTO retl_test_ids VALUES {', '.join(f'({n})' for n in range(ROWS))}")


@pytest.fixture
def config(config: dict[str, Any]) -> dict[str, Any]:
    """With one sync of four partitions."""
    return {**config, "syncs": [SYNC]}


@pytest.fixture
def state(run_tap: RunTap, config: dict[str, Any]) -> dict[str, Any]:
    """A run that has begun, with no partition done, of a sync that was read before."""
    run = run_tap(config, state={"bookmarks": {"s": {"last_sync_time": 5}}})
    states: list[dict[str, Any]] = [message["value"] for message in run.of_type("STATE")]
    return next(state for state in states if "unfinished" in state["bookmarks"]["s"])


def _ids(run: TapRun) -> list[int]:
    return [record["userId"] for record in run.records("s")]


def _bookmark(run: TapRun) -> dict[str, Any]:
    assert run.exit_code == 0, run.log
    assert run.state is not None
    bookmark: dict[str, Any] = run.state["bookmarks"]["s"]
    return bookmark


def _done(bookmark: dict[str, Any]) -> list[bool]:
    return ["last_sync_time" in partition for partition in bookmark["partitions"]]


def test_state_marks_that_partition_alone(
    run_tap: RunTap, config: dict[str, Any], state: dict[str, Any]
) -> None:
    """Only its rows are read; the bookmark stays while other partitions are not done."""
    run = run_tap(config, *ONLY, "2", state=state)

    bookmark = _bookmark(run)
    assert sorted(_ids(run)) == list(range(20, 30))
    assert _done(bookmark) == [False, False, True, False]
    assert bookmark["last_sync_time"] == 5
    assert bookmark["unfinished"] == state["bookmarks"]["s"]["unfinished"]


def test_last_partition_moves_the_bookmark(
    run_tap: RunTap, config: dict[str, Any], state: dict[str, Any]
) -> None:
    """To the start of the whole run, once every other partition is done as well."""
    current, read = state, []
    for number in (3, 0, 2, 1):
        run = run_tap(config, *ONLY, str(number), state=current)
        assert "unfinished" in current["bookmarks"]["s"]
        current = run.state or {}
        read += _ids(run)

    bookmark = current["bookmarks"]["s"]
    assert sorted(read) == list(range(ROWS))
    assert set(bookmark) == {"last_sync_time", "query_fingerprint"}
    assert bookmark["last_sync_time"] == state["bookmarks"]["s"]["unfinished"]["sync_time"]


def test_finished_partition_is_not_read_again(
    run_tap: RunTap, config: dict[str, Any], state: dict[str, Any]
) -> None:
    """Asking for it twice changes nothing."""
    first = run_tap(config, *ONLY, "1", state=state)

    second = run_tap(config, *ONLY, "1", state=first.state)

    assert (_ids(second), second.state) == ([], first.state)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ((*ONLY, "4"), "has 4 partitions. Choose one from 0 to 3"),
        (("--partition", "0"), "--partition needs exactly one --locked NAME"),
        (("--locked", "s", "--locked", "s", "--partition", "0"), "exactly one --locked NAME"),
        ((*ONLY, "0", "--resync", "s"), "cannot be combined with --resync"),
        ((*ONLY, "0", "--since", "0"), "cannot be combined with"),
        ((*ONLY, "-1"), "'--partition'"),
    ],
)
def test_unusable_option_is_a_configuration_error(
    run_tap: RunTap,
    config: dict[str, Any],
    state: dict[str, Any],
    arguments: tuple[str, ...],
    problem: str,
) -> None:
    """The error names the option and the remedy; no row is read."""
    run = run_tap(config, *arguments, state=state)

    assert (run.exit_code, _ids(run)) == (2, [])
    assert problem in run.log


@pytest.mark.parametrize("state", [None, {"bookmarks": {"s": {"last_sync_time": 5}}}])
def test_partition_needs_an_unfinished_run(
    run_tap: RunTap, config: dict[str, Any], state: dict[str, Any] | None
) -> None:
    """Without one the ranges of the partitions are unknown."""
    run = run_tap(config, *ONLY, "0", state=state)

    assert (run.exit_code, _ids(run)) == (2, [])
    assert 'the state has no unfinished partitioned run of sync "s"' in run.log


def test_partition_of_another_query_is_refused(
    run_tap: RunTap, config: dict[str, Any], state: dict[str, Any]
) -> None:
    """The ranges of another query do not apply to this one."""
    config["syncs"] = [{**SYNC, "query": "SELECT id AS userId, 1 AS x FROM retl_test_ids"}]

    run = run_tap(config, *ONLY, "0", state=state)

    assert (run.exit_code, _ids(run)) == (2, [])
    assert "another query" in run.log
