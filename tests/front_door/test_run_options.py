"""`run --limit`, `--since`, `--until` and `--dry-run` of a project."""

from __future__ import annotations

import json

import pytest

from tests.front_door.shop_projects import DAILY, USERS, files_in, run_in, target_of, write_project

STATE = ".reverse_etl/state.json"
LETTERS = ".reverse_etl/dead_letters.jsonl"
ODD = {
    "name": "odd",
    "type": "track",
    "query": "SELECT id AS userId, CASE WHEN id = 2 THEN NULL ELSE 'Seen' END AS event FROM users",
}
ALL_BAD = {"name": "all_bad", "type": "track", "query": "SELECT id AS userId FROM users"}


def _ids(shop):
    return [call.body["userId"] for call in shop.collector.calls]


def test_limit_delivers_the_first_rows_and_moves_no_bookmark(tmp_path, shop):
    """Of each sync; the screen says so, and a run after it sends these rows again."""
    write_project(tmp_path, shop, [USERS, DAILY])

    trial = run_in(tmp_path, "run", "--limit", "3")

    assert trial.returncode == 0, trial.stderr
    assert sorted(_ids(shop)) == ["1", "1", "2", "3"]
    assert not (tmp_path / STATE).exists()
    assert "Delivered 4 calls of 2 syncs" in trial.stdout
    assert "No bookmark moved: after --limit" in trial.stdout
    run = run_in(tmp_path, "run")
    assert "Delivered 1,201 calls" in run.stdout
    assert "No bookmark" not in run.stdout


def test_rejected_rows_of_a_limited_run_leave_no_dead_letters(tmp_path, shop):
    """They are counted; no command is named that would look for their letters."""
    write_project(tmp_path, shop, [ODD])

    done = run_in(tmp_path, "run", "--limit", "3")

    assert done.returncode == 0, done.stderr
    assert not (tmp_path / LETTERS).exists()
    assert "1 rejected" in done.stdout
    assert "mssql-reverse-etl" not in done.stdout


def test_sync_that_fails_in_a_limited_run_leaves_the_others_delivered(tmp_path, shop):
    """Each by itself, without a bookmark that tells what was settled."""
    write_project(tmp_path, shop, [ALL_BAD, USERS])

    done = run_in(tmp_path, "run", "--limit", "20")

    assert done.returncode == 5
    outcomes = {line.split()[0]: line.split()[1] for line in done.stdout.splitlines()[1:3]}
    assert outcomes == {"all_bad": "rejected", "users": "delivered"}


@pytest.mark.parametrize("since", ["2999-01-01", "2999-01-01T00:00:00Z", "32472144000"])
def test_window_is_read_without_moving_bookmarks(tmp_path, shop, since):
    """A plain date, ISO 8601 or unix seconds; only the named syncs must have the bound."""
    write_project(tmp_path, shop, [USERS, DAILY])

    done = run_in(tmp_path, "run", "users", "--since", since)

    assert done.returncode == 0, done.stderr
    assert _ids(shop) == []
    assert not (tmp_path / STATE).exists()
    assert "No bookmark moved." in done.stdout


def test_until_ends_the_window(tmp_path, shop):
    """For queries with an upper bound."""
    bounded = {**USERS, "query": f"{USERS['query']} AND last_updated < {{{{sync_time}}}}"}
    write_project(tmp_path, shop, [bounded])

    assert run_in(tmp_path, "run", "--since", "0", "--until", "1971-01-01").returncode == 0
    assert _ids(shop) == []
    assert run_in(tmp_path, "run", "--since", "0", "--until", "2999-01-01").returncode == 0
    assert len(_ids(shop)) == 1200


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--limit", "5", "--dask"], "--limit cannot be combined with --dask"),
        (["--since", "5", "--until", "6", "--dask"], "--since and --until cannot be combined"),
        (["--since", "0", "--dask"], "--since cannot be combined with --dask"),
        (["--dry-run", "--dask"], "--dry-run cannot be combined with --dask"),
        (["--limit", "5", "--start-now", "users"], "--start-now cannot be combined with"),
        (["--since", "5", "--start-now", "users"], "--start-now cannot be combined with"),
        (["--limit", "0"], "0 is not in the range"),
        (["--until", "then"], "not ISO 8601"),
        (["--until", "5"], "has no {{sync_datetime}}"),
        (["daily", "--since", "5"], "has no {{last_sync_datetime}}"),
    ],
)
def test_what_does_not_go_together_is_refused(tmp_path, shop, arguments, message):
    """With one sentence, before anything is read."""
    write_project(tmp_path, shop, [USERS, DAILY])

    done = run_in(tmp_path, "run", *arguments)

    assert done.returncode == 2
    assert message in done.stderr
    assert shop.collector.requests == []


def test_dry_run_is_a_plan(tmp_path, shop):
    """With the same names and options; nothing is sent, and nothing moves."""
    write_project(tmp_path, shop, [USERS, DAILY], target_of(shop, report_path="report.json"))
    before = files_in(tmp_path)

    done = run_in(tmp_path, "run", "users", "--dry-run", "--limit", "7")
    plan = run_in(tmp_path, "plan", "users", "--limit", "7")

    assert done.returncode == 0, done.stderr
    assert done.stdout == plan.stdout
    assert "A run would send 7 calls of 1 sync now" in done.stdout
    assert shop.collector.requests == []
    assert files_in(tmp_path) == before


def test_dry_run_works_with_singers_files(tmp_path, shop):
    """They need no project."""
    write_project(tmp_path, shop, [USERS])
    project = json.loads((tmp_path / "reverse_etl.yml").read_text())
    (tmp_path / "tap.json").write_text(json.dumps({**project["tap"], "syncs": project["syncs"]}))
    (tmp_path / "target.json").write_text(json.dumps(project["target"]))
    (tmp_path / "reverse_etl.yml").unlink()
    files = ("--tap", "tap.json", "--target", "target.json", "--state", "state.json")

    done = run_in(tmp_path, "run", *files, "--dry-run")

    assert done.returncode == 0, done.stderr
    assert "A run would send 1,200 calls" in done.stdout
    assert not (tmp_path / "state.json").exists()


def test_rejected_calls_are_not_tried_again_by_a_limited_run(tmp_path, shop):
    """A trial sends the rows that it was asked for."""
    write_project(tmp_path, shop, [USERS])
    shop.collector.script([{"status": 400, "contains": '"userId":"7"', "times": None}])
    run_in(tmp_path, "run")
    letters = (tmp_path / LETTERS).read_bytes()
    shop.collector.script([])
    shop.collector.forget()

    run_in(tmp_path, "run", "--limit", "1", "--resync", "users")

    assert _ids(shop) == ["1"]
    assert (tmp_path / LETTERS).read_bytes() == letters


@pytest.mark.parametrize("has_state", [False, True])
def test_rejected_rows_of_a_window_leave_dead_letters(tmp_path, shop, has_state):
    """No other run reads them, whether or not there is a state."""
    bounded = {**ODD, "query": f"{ODD['query']} WHERE last_updated >= {{{{last_sync_time}}}}"}
    write_project(tmp_path, shop, [bounded])
    if has_state:
        run_in(tmp_path, "run", "--start-now", "odd")

    done = run_in(tmp_path, "run", "--since", "0")

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1].split()[:2] == ["odd", "delivered"]
    assert len((tmp_path / LETTERS).read_text().splitlines()) == 1
