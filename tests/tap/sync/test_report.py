from __future__ import annotations

import contextlib
import json
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest

from tap_mssql_query.mssql.app_lock import acquire_sync_lock
from tap_mssql_query.mssql.connect import connect
from tap_mssql_query.settings.model import parse_settings
from tests.tap.conftest import TAP

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.tap.conftest import TapRun

    RunTap = Callable[..., TapRun]

USERS = "SELECT id AS userId, email FROM retl_test_users"


def _syncs(*names: str, **settings: Any) -> list[dict[str, Any]]:
    return [{"name": n, "type": "identify", "query": USERS, **settings} for n in names]


@pytest.fixture
def read_report(run_tap: RunTap, config: dict[str, Any], tmp_path: Path):
    """Runs the tap and reads what it wrote to `report_path`."""
    path = tmp_path / "report.json"

    def read(syncs: list[dict[str, Any]], *arguments: str, **options: Any) -> Any:
        run_tap({**config, "report_path": str(path), "syncs": syncs}, *arguments, **options)
        return json.loads(path.read_text())["syncs"]

    return read


@pytest.fixture
def hold_lock(config: dict[str, Any]):
    """Holds the lock of a sync, as another run of it would."""

    @contextlib.contextmanager
    def hold(sync: str):
        settings = parse_settings({**config, "syncs": _syncs(sync)})
        database = settings.syncs[0].database
        with contextlib.closing(connect(database, settings)) as session:
            assert acquire_sync_lock(session, sync)
            yield

    return hold


def test_report_has_the_outcome_of_each_sync(read_report):
    """Outcomes are read, failed and not due; disabled syncs are not in the report."""
    syncs = [
        *_syncs("good"),
        *_syncs("bad", query="SELECT nothing FROM retl_test_users"),
        *_syncs("early", frequency="1h"),
        *_syncs("off", enabled=False),
    ]
    state = {"bookmarks": {"early": {"last_sync_time": int(time.time()) - 60}}}

    report = read_report(syncs, state=state)

    outcomes = {name: (entry["outcome"], entry["rows"]) for name, entry in report.items()}
    assert outcomes == {"good": ("read", 2), "bad": ("failed", 0), "early": ("not due", 0)}
    assert report["good"]["last_sync_time"] == 0
    assert report["good"]["sync_time"] > 1_700_000_000
    assert report["good"]["seconds"] > 0


def test_locked_sync_is_reported(read_report, hold_lock):
    """The outcome of a locked sync says so, and no row is read."""
    with hold_lock("a"):
        report = read_report(_syncs("a", "b"))

    assert {name: entry["outcome"] for name, entry in report.items()} == {
        "a": "locked",
        "b": "read",
    }


def test_locked_syncs_are_the_only_ones_to_run(read_report, hold_lock):
    """The caller holds their locks, and the tap does not acquire them."""
    with hold_lock("a"):
        report = read_report(_syncs("a", "b"), "--locked", "a")

    assert {name: entry["outcome"] for name, entry in report.items()} == {"a": "read"}


def test_locked_names_a_sync_that_exists(run_tap: RunTap, config: dict[str, Any]) -> None:
    """A misspelled name would silently run nothing."""
    run = run_tap({**config, "syncs": _syncs("a")}, "--locked", "b")

    assert run.exit_code == 2
    assert '--locked: there is no sync "b"' in run.log


START_FAILURES: dict[str, dict[str, Any]] = {
    "settings": {"encrypt": "maybe"},
    "no syncs": {"syncs": None},
    "wrong password": {"password": "wrong"},
    "port closed": {"port": 1},
}


@pytest.mark.parametrize("settings", START_FAILURES.values(), ids=list(START_FAILURES))
def test_report_is_never_that_of_an_earlier_run(
    run_tap: RunTap, config: dict[str, Any], tmp_path: Path, settings: dict[str, Any]
) -> None:
    """Also if the run cannot start: the report has its exit code and the reason."""
    path = tmp_path / "report.json"
    path.write_text('{"syncs": {"a": {"outcome": "read"}}}')

    run = run_tap({**config, "report_path": str(path), "syncs": _syncs("a"), **settings})

    report = json.loads(path.read_text())
    assert report["exit_code"] == run.exit_code != 0
    assert report["message"]
    assert [entry["outcome"] for entry in report["syncs"].values()] in ([], ["failed"])
    assert all(entry["message"] for entry in report["syncs"].values())


@pytest.mark.parametrize("option", ["state", "catalog"])
def test_missing_file_is_reported(run_tap, config, tmp_path, option) -> None:
    """Like any other failed start; the message names the file and its option."""
    path, missing = tmp_path / "report.json", tmp_path / "missing.json"
    path.write_text("old")

    run = run_tap(
        {**config, "report_path": str(path), "syncs": _syncs("a")}, f"--{option}", str(missing)
    )

    report = json.loads(path.read_text())
    assert (run.exit_code, report["exit_code"]) == (2, 2)
    assert f"{option} file {missing} cannot be read" in report["message"]


@pytest.mark.parametrize("arguments", [("--check",), ("--preview", "a")])
def test_only_runs_touch_the_report(
    config: dict[str, Any], tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    """A check or a preview is no run."""
    path, settings = tmp_path / "report.json", tmp_path / "tap.json"
    path.write_text("kept")
    settings.write_text(json.dumps({**config, "report_path": str(path), "syncs": _syncs("a")}))

    command = [str(TAP), "--config", str(settings), *arguments]
    subprocess.run(command, capture_output=True, check=True)

    assert path.read_text() == "kept"


def test_unwritable_report_is_an_error(run_tap: RunTap, config: dict[str, Any]) -> None:
    """Nothing is read: a monitor would not see what becomes of it."""
    run = run_tap({**config, "report_path": "/nowhere/report.json", "syncs": _syncs("a")})

    assert (run.exit_code, run.messages) == (2, [])
    assert "`report_path`: /nowhere/report.json is in a folder that does not exist" in run.log
