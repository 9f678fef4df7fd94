"""The coordinator merges the states of tasks that ran side by side."""

from __future__ import annotations

import copy
import itertools

import pytest

from mssql_reverse_etl.cluster.partition_plan import PartitionPlan, State
from tap_mssql_query.settings.model import DatabaseSettings, SyncSettings
from tap_mssql_query.sql.key_range import KeyRange
from tap_mssql_query.sql.template import SyncTimes
from tap_mssql_query.sync.resume_state import (
    Partition,
    ResumeState,
    finish_run,
    read_resume_state,
    write_resume_state,
)

SYNC = SyncSettings(
    name="s",
    type="identify",
    query="SELECT 1",
    database=DatabaseSettings(name=None, host="localhost"),
    partition_column="id",
    partitions=3,
)
BOUNDS = (None, 10, 20, None)


@pytest.fixture
def plan() -> PartitionPlan:
    """Three partitions, none of them done."""
    partitions = [Partition(KeyRange(low, high)) for low, high in itertools.pairwise(BOUNDS)]
    return PartitionPlan(SYNC, ResumeState(SyncTimes(5, 100), "f", "id", partitions), [0, 1, 2])


@pytest.fixture
def state(plan: PartitionPlan) -> State:
    """With the planned run."""
    state: State = {"bookmarks": {"s": {"last_sync_time": 5, "mine": 1}}}
    assert plan.run is not None
    write_resume_state(state, "s", plan.run)
    return state


def _after(task_state: State, *numbers: int) -> State:
    """The state of a task when these partitions are done."""
    after = copy.deepcopy(task_state)
    run = read_resume_state(after, "s")
    assert run is not None
    for number in numbers:
        run.partitions[number].is_done = True
    write_resume_state(after, "s", run)
    if all(partition.is_done for partition in run.partitions):
        finish_run(after, "s", sync_time=run.times.sync_time, fingerprint=run.fingerprint)
    return after


def test_task_gets_the_true_state(plan: PartitionPlan, state: State) -> None:
    """No partition is done in it that is not; the option says which one to read."""
    assert plan.state_of(state) == state
    assert plan.options_of(1) == ["--partition", "1"]


def test_tasks_that_know_nothing_of_each_other_add_up(plan: PartitionPlan, state: State) -> None:
    """Each began before the others were done; the bookmark moves with the last one."""
    task_states = [_after(plan.state_of(state), number) for number in range(3)]

    done = [plan.merge(number, task_states[number], state) for number in range(3)]

    assert done == [True] * 3
    assert state["bookmarks"]["s"] == {"last_sync_time": 100, "query_fingerprint": "f", "mine": 1}


def test_last_task_reports_a_finished_run(plan: PartitionPlan, state: State) -> None:
    """Its own state moves the bookmark, since it knew that all others were done."""
    for number in range(2):
        plan.merge(number, _after(plan.state_of(state), number), state)

    last = _after(plan.state_of(state), 2)

    assert "unfinished" not in last["bookmarks"]["s"]
    assert plan.merge(2, last, state)
    assert state["bookmarks"]["s"]["last_sync_time"] == 100


@pytest.mark.parametrize("has_state", [True, False])
def test_task_that_failed_leaves_its_partition(
    plan: PartitionPlan, state: State, *, has_state: bool
) -> None:
    """Whether it wrote the state that it began with, or none."""
    before = copy.deepcopy(state)

    is_done = plan.merge(1, plan.state_of(state) if has_state else None, state)

    assert (is_done, state) == (False, before)
