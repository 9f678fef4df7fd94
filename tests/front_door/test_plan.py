"""`mssql-reverse-etl plan`: the numbers of the run that would follow, and nothing moves."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from datetime import UTC

import pytest
from rich.console import Console

from mssql_reverse_etl.results.plan import Plan, PlannedDestination, PlannedOutcome, PlannedSync
from mssql_reverse_etl.screens.plan import plan_screen
from tests.front_door.projects import PROGRAM
from tests.front_door.shop_projects import (
    BAD,
    DAILY,
    EVENTS,
    MERGED,
    OFF,
    USERS,
    files_in,
    run_in,
    target_of,
    write_project,
)
from tests.front_door.snapshots import assert_screen

ATTEMPTS = 3
REJECTED = {
    "name": "odd",
    "type": "track",
    "query": "SELECT id AS userId, CASE WHEN id % 100 = 0 THEN NULL ELSE 'Seen' END AS event "
    "FROM users",
}


def _plan(folder, *arguments):
    done = run_in(folder, "plan", "--json", *arguments)
    assert done.stdout, done.stderr
    return done.returncode, {
        (entry["sync"], entry["destination"]): entry for entry in json.loads(done.stdout)
    }


def _sent(folder):
    """What the target of the last run reports, by sync and destination, in the plan's words."""
    report = json.loads((folder / "report.json").read_text())
    found = {}
    for name, part in report.get("destinations", {"customerio": report}).items():
        for stream, entry in part["streams"].items():
            found[stream, name] = {
                "rows_read": entry["read"],
                "calls": entry["delivered"],
                "filtered": entry["filtered"],
                "rejected": entry["rejected"],
                "rejections": Counter(entry["rejected_by_reason"]),
                "requests": entry["requests"],
                "bytes": entry["sent_bytes"],
            }
    return found


def _in_words_of(sent, plan):
    words = {
        key: {name: entry[name] for name in sent[key]} for key, entry in plan.items() if key in sent
    }
    for entry in words.values():
        entry["rejections"] = Counter(
            {each["reason"]: each["calls"] for each in entry["rejections"]}
        )
    return words


TARGETS = {
    "small batches": {"batch_max_calls": 30, "batch_max_bytes": 4000},
    "processes": {"processes": 2, "batch_max_bytes": 9000, "gzip": True},
    "fan-out": {
        "destinations": [
            {"destination": "customerio", "batch_max_calls": 50},
            {"destination": "segment", "concurrency": 2, "batch_max_bytes": 20_000},
        ]
    },
}


@pytest.mark.parametrize("settings", TARGETS.values(), ids=list(TARGETS))
def test_numbers_are_those_of_the_run(tmp_path, shop, settings):
    """By sync and destination: rows, calls, requests, bytes, and rejected rows by reason.

    On a busy machine a run may send a batch that is not full, since it has waited for a second:
    then both are repeated.
    """
    target = target_of(shop, report_path="report.json", **settings)
    if "destinations" in settings:
        target.pop("destination")
    syncs = [USERS, EVENTS, MERGED, REJECTED]
    again = [argument for sync in syncs for argument in ("--resync", str(sync["name"]))]
    for _ in range(ATTEMPTS):
        write_project(tmp_path, shop, syncs, target)
        (tmp_path / "report.json").unlink(missing_ok=True)
        code, plan = _plan(tmp_path, *again)
        assert code == 0
        assert not (tmp_path / "report.json").exists()
        assert shop.collector.requests == []

        done = run_in(tmp_path, "run", *again)

        assert done.returncode == 0, done.stderr
        sent = _sent(tmp_path)
        if _in_words_of(sent, plan) == sent:
            break
    assert _in_words_of(sent, plan) == sent
    assert len(sent) == len(plan) == len(syncs) * len(settings.get("destinations", [0]))
    assert sum(entry["rejected"] for entry in plan.values()) > 0


def test_nothing_on_disk_moves(tmp_path, shop):
    """No state, no history, no dead letters, no reports, no file of calls; not at first either."""
    target = {"destination": "file", "report_path": "report.json"}
    write_project(tmp_path, shop, [USERS, REJECTED], target)
    before = files_in(tmp_path)
    assert _plan(tmp_path)[0] == 0
    assert files_in(tmp_path) == before
    assert run_in(tmp_path, "run").returncode == 0
    before = files_in(tmp_path)

    code, plan = _plan(tmp_path)

    assert (code, files_in(tmp_path)) == (0, before)
    assert plan["users", "file"]["rows_read"] == 0
    assert plan["users", "file"]["last_sync_time"] > "2026"


def test_outcomes_and_the_exit_code_are_those_of_the_run(tmp_path, shop):
    """A sync that fails, one that is disabled, one of an unknown type, one that is not due."""
    unknown = {"name": "odd_type", "type": "unheard_of", "query": "SELECT 1 AS userId"}
    write_project(tmp_path, shop, [BAD, OFF, DAILY, unknown])
    run_in(tmp_path, "run", "daily")

    code, plan = _plan(tmp_path)
    table = run_in(tmp_path, "plan")
    run = run_in(tmp_path, "run")

    assert [(sync, entry["outcome"]) for (sync, _), entry in plan.items()] == [
        ("bad", "failed"), ("off", "paused"), ("daily", "not_due"), ("odd_type", "failed"),
    ]  # fmt: skip
    assert code == run.returncode == 3
    assert "Invalid column name" in plan["bad", "customerio"]["message"]
    assert "unheard_of" in table.stdout
    assert "off: paused" in table.stdout
    assert "daily: not due" in table.stdout
    assert "2 syncs would fail. Nothing was sent." in table.stdout


def test_too_many_rejected_rows_have_the_exit_code_of_the_run(tmp_path, shop):
    """Fewer are no failure."""
    all_bad = {"name": "all_bad", "type": "track", "query": "SELECT id AS userId FROM users"}
    write_project(tmp_path, shop, [all_bad, REJECTED])

    code, plan = _plan(tmp_path)

    assert code == 5
    assert plan["all_bad", "customerio"]["outcome"] == "rejected"
    assert plan["odd", "customerio"]["outcome"] == "due"
    assert _plan(tmp_path, "odd")[0] == 0


def test_costs_are_estimated_where_the_price_is_known(tmp_path, shop):
    """By sync, and in all."""
    write_project(tmp_path, shop, [USERS], target_of(shop, price_per_1000_calls=2.5))

    _, plan = _plan(tmp_path, "--limit", "100")
    table = run_in(tmp_path, "plan")

    assert plan["users", "customerio"]["estimated_cost"] == 0.25
    assert "1,200 calls in 4 requests" in table.stdout
    assert "at about 3.00" in table.stdout


def test_running_run_and_its_locks_do_not_matter(tmp_path, shop):
    """A plan waits for no run, and stops none."""
    write_project(tmp_path, shop, [USERS])
    shop.collector.script([{"delay_seconds": 6.0, "times": None}])
    command = [str(PROGRAM), "run"]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as running:
        shop.collector.wait_for_requests(1, 60.0)

        code, plan = _plan(tmp_path)

        assert running.poll() is None
        assert (code, plan["users", "customerio"]["calls"]) == (0, 1200)
        running.terminate()
    shop.collector.script([])


def test_nothing_due_is_a_sentence(tmp_path, shop):
    """And no table."""
    write_project(tmp_path, shop, [DAILY])
    run_in(tmp_path, "run")

    done = run_in(tmp_path, "plan")

    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == "A run would do nothing now: no sync is due."


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["user"], "did you mean users?"),
        (["--limit", "0"], "0 is not in the range"),
        (["--since", "yesterday"], "not ISO 8601"),
        (["--since", "5", "--until", "4"], "--since is later than --until"),
        (["daily", "--since", "5"], "has no {{last_sync_datetime}}"),
    ],
)
def test_bad_options_are_refused(tmp_path, shop, arguments, message):
    """Exit code 2; a window is only checked against the named syncs."""
    write_project(tmp_path, shop, [USERS, DAILY])

    done = run_in(tmp_path, "plan", *arguments)

    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr


def test_without_a_project_the_message_names_the_remedy(tmp_path):
    """As of `run`."""
    done = run_in(tmp_path, "plan")

    assert done.returncode == 2
    assert "mssql-reverse-etl init" in done.stderr


def test_server_that_is_down_is_3(tmp_path, shop):
    """Each of its syncs fails, and is in the plan."""
    write_project(tmp_path, shop, [USERS])
    path = tmp_path / "reverse_etl.yml"
    path.write_text(path.read_text().replace(f'"port": {shop.server.port}', '"port": 1'))

    code, plan = _plan(tmp_path)

    assert code == 3
    assert plan["users", "customerio"]["outcome"] == "failed"


def test_closed_pipe_is_silent(tmp_path, shop):
    """As of any program in a pipe."""
    write_project(tmp_path, shop, [OFF])
    command = f"'{PROGRAM}' plan --json; echo $? >&2"

    done = subprocess.run(
        ["sh", "-c", f"({command}) | true"],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip

    assert "Traceback" not in done.stderr


DUE = PlannedOutcome.DUE
PLANS = {
    "plan": Plan(
        [
            PlannedSync(
                sync="users", destination="customerio", outcome=DUE, since=0, rows=1200,
                calls=1200, requests=4, bytes=214_000, cost=1.8,
            ),
            PlannedSync(
                sync="user_resolution", destination="customerio", outcome=DUE, since=1795811741,
                rows=120, calls=119, rejected=1, requests=4, bytes=12_300, cost=0.1785,
                reasons=Counter({"The call lacks `previousId`.": 1}),
            ),
            PlannedSync(
                sync="bad", destination="customerio", outcome=PlannedOutcome.FAILED,
                message="SQL Server error 207: Invalid column name 'nothing'.",
            ),
            PlannedSync(
                sync="daily", destination="customerio", outcome=PlannedOutcome.NOT_DUE
            ),
            PlannedSync(sync="off", destination="customerio", outcome=PlannedOutcome.PAUSED),
        ],
        [
            PlannedDestination(
                name="customerio", calls=1319, requests=8, bytes=226_300, cost=1.9785
            )
        ],
    ),
    "plan-destinations": Plan(
        [
            PlannedSync(
                sync="users", destination=name, outcome=DUE, since=1795811741, rows=1200,
                calls=calls, filtered=1200 - calls, requests=4, bytes=214_000,
            )
            for name, calls in (("customerio", 1200), ("warehouse", 1100))
        ],
        [
            PlannedDestination(name="customerio", calls=1200, requests=4, bytes=214_000),
            PlannedDestination(name="warehouse", calls=1100, requests=4, bytes=200_000),
        ],
    ),
    "plan-nothing": Plan(
        [PlannedSync(sync="daily", destination="customerio", outcome=PlannedOutcome.NOT_DUE)],
        [PlannedDestination(name="customerio")],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", list(PLANS))
def test_screen(name):
    """At 80 columns; times are local."""
    console = Console(width=80, color_system=None)
    with console.capture() as captured:
        for part in plan_screen(PLANS[name], zone=UTC):
            console.print(part, highlight=False)

    assert_screen(name, captured.get())
