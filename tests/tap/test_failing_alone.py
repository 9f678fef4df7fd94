"""Whatever fails in one sync fails there alone: in discovery, in runs, and with a catalog."""

from __future__ import annotations

import json
import os
import re
import subprocess
from importlib import resources
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from sandbox.sql_server.engine import DuckDBEngine
from tests.tap.conftest import TAP, run_tap_in

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.forked_program import ForkedProgram
    from tests.tap.conftest import TapRun

    RunTap = Callable[..., TapRun]

GOOD = "SELECT id AS userId, email FROM retl_test_users"


class Case(NamedTuple):
    """One sync that fails: its settings, and what the log says of it.

    `describable` says that `--discover` does not find the failure; `maps` are its stream maps.
    """

    settings: dict[str, Any]
    message: str
    describable: bool = False
    maps: dict[str, Any] | None = None


CASES = {
    "column": Case({"query": "SELECT emial FROM retl_test_users"}, "Invalid column name 'emial'"),
    "object": Case({"query": "SELECT id FROM nowhere"}, "Invalid object name 'nowhere'"),
    "denied": Case({"query": "SELECT id FROM hidden"}, "permission was denied"),
    "syntax": Case({"query": "SELECT FROM WHERE"}, "SQL Server error"),
    "no-select": Case({"query": "DELETE FROM retl_test_users"}, "The query is not run."),
    "no-text": Case({"query": "-- nothing"}, "The query is not run."),
    "twice": Case({"query": "SELECT id, id FROM retl_test_users"}, "cannot be in the same result"),
    "unnamed": Case({"query": "SELECT id + 1 FROM retl_test_users"}, "Column 1 has no name"),
    "key": Case({"query": GOOD, "key_columns": ["nope"]}, "Key column nope is not in the result"),
    "variant": Case(
        {"query": "SELECT CAST(N'y' AS sql_variant) AS v"}, "sql_variant; CAST it", describable=True
    ),
    "unreachable": Case({"query": GOOD, "database": "off"}, "Cannot connect to 127.0.0.1:1"),
    "no-database": Case({"query": GOOD, "database": "unknown"}, "that the login may open"),
    "password": Case({"query": GOOD, "database": "wrong"}, "error 18456"),
    "zone": Case(
        {"query": "SELECT SYSDATETIME() AS t", "timezone": "Own/Zone"},
        "`timezone` Own/Zone is not known",
        describable=True,
    ),
    "map-syntax": Case(
        {"query": GOOD}, "Failed to parse expression lower(", describable=True,
        maps={"email": "lower("},
    ),
    "map-null": Case(
        {"query": GOOD}, "fails for the column `email` in one of the rows", describable=True,
        maps={"email": "email.lower()"},
    ),
    "map-type": Case(
        {"query": GOOD}, "fails for the column `n` in one of the rows (ValueError)",
        describable=True, maps={"n": "int(email)"},
    ),
    "map-filter": Case(
        {"query": GOOD}, "fails for `__filter__` in one of the rows", describable=True,
        maps={"__filter__": "nothing > 1"},
    ),
    "map-else": Case(
        {"query": GOOD}, "`stream_maps` cannot be applied", describable=True,
        maps={"__else__": "all"},
    ),
    "map-key": Case(
        {"query": GOOD, "key_columns": ["userId"]}, "`stream_maps` cannot be applied",
        describable=True, maps={"userId": None},
    ),
    "map-unknown": Case(
        {"query": GOOD}, "removes the column `emial`", describable=True, maps={"emial": None}
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def engine() -> DuckDBEngine:
    """The usual database, and a table that `reader` may not read."""
    engine = DuckDBEngine()
    engine.create_database("shop")
    engine.add_login("reader", "Sandbox-1", role="reader")
    engine.run("shop", "CREATE TABLE hidden (id int)")
    engine.run("shop", "DENY SELECT ON hidden TO reader")
    return engine


def _config(connection: dict[str, Any], *names: str, **settings: Any) -> dict[str, Any]:
    """Syncs that fail, between two that do not, in the order in which they run."""
    good = {"type": "identify", "query": GOOD}
    bad = [{"name": name, "type": "identify", **CASES[name].settings} for name in names]
    quick = {**connection, "login_timeout_seconds": 2}
    return {
        **connection,
        "databases": {
            "off": {**quick, "port": 1},
            "unknown": {**quick, "database": "nowhere"},
            "wrong": {**quick, "password": "canary-1"},
        },
        "syncs": [{"name": "a", **good}, *({**b, **settings} for b in bad), {"name": "z", **good}],
        "stream_maps": {name: CASES[name].maps for name in names if CASES[name].maps},
    }


class _Runs(NamedTuple):
    """What the programs say of a configuration in which every case is a sync."""

    found: TapRun
    plain: TapRun
    selected: TapRun


def _run_all(config: dict[str, Any], folder: Path, zones: Path, program: ForkedProgram) -> _Runs:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONTZPATH", f"{zones}{os.pathsep}/usr/share/zoneinfo")
        found = run_tap_in(folder, program, config, "--discover")
        (folder / "catalog.json").write_text(json.dumps(found.messages[0]))
        plain = run_tap_in(folder, program, config)
        selected = run_tap_in(folder, program, config, "--catalog", str(folder / "catalog.json"))
    return _Runs(found, plain, selected)


@pytest.fixture(scope="module")
def zones(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a time zone that Arrow does not know."""
    folder = tmp_path_factory.mktemp("zones")
    (folder / "Own").mkdir()
    with resources.files("tzdata.zoneinfo").joinpath("Asia", "Tokyo").open("rb") as file:
        (folder / "Own" / "Zone").write_bytes(file.read())
    return folder


@pytest.fixture(scope="module")
def runs(
    connection: dict[str, Any],
    tmp_path_factory: pytest.TempPathFactory,
    zones: Path,
    forked_tap: ForkedProgram,
) -> _Runs:
    """All cases in one configuration."""
    folder = tmp_path_factory.mktemp("all")
    return _run_all(_config(connection, *CASES), folder, zones, forked_tap)


@pytest.mark.parametrize("name", CASES)
def test_failing_sync_is_named(runs: _Runs, name: str) -> None:
    """Discovery and runs, with and without a catalog, say why it fails; nothing of it is sent."""
    case = CASES[name]
    is_described = f"sync={name} cannot be described" not in runs.found.log
    assert is_described is case.describable, runs.found.log
    for run in (runs.plain, runs.selected):
        (failure,) = re.findall(rf"sync={name} failed: .*(?:\n(?!\d).*)*", run.log)
        assert case.message in failure
        assert "This is a bug" not in failure
        assert run.records(name) == []
        assert run.state is not None
        assert not run.state["bookmarks"].get(name)


def test_failing_syncs_stop_no_other(runs: _Runs) -> None:
    """The others are described and delivered, before and after those that fail."""
    columns = {
        s["stream"]: set(s["schema"]["properties"]) for s in runs.found.messages[0]["streams"]
    }
    assert runs.found.exit_code == 0
    assert columns["a"] == columns["z"] == {"userId", "email"}
    for run in (runs.plain, runs.selected):
        assert (run.exit_code, len(run.records("a")), len(run.records("z"))) == (3, 2, 2)
        assert run.state is not None
        assert {name for name, entry in run.state["bookmarks"].items() if entry} == {"a", "z"}


def test_failing_syncs_show_no_values(runs: _Runs) -> None:
    """Neither those of rows, in the errors of expressions, nor passwords."""
    assert not any(part in run.log for run in runs for part in ("zoë", "canary"))


def test_disabled_syncs_that_would_fail_do_nothing(
    connection: dict[str, Any], tmp_path: Path, zones: Path, forked_tap: ForkedProgram
) -> None:
    """A disabled sync fails neither a discovery nor a run."""
    config = _config(connection, *CASES, enabled=False)
    runs = _run_all(config, tmp_path, zones, forked_tap)
    assert [run.exit_code for run in runs] == [0, 0, 0]
    for run in (runs.plain, runs.selected):
        assert (len(run.records("a")), len(run.records("z"))) == (2, 2)
        assert " failed" not in run.log


def test_check_names_the_syncs_that_would_fail(
    connection: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zones: Path
) -> None:
    """Whatever does not depend on the rows is an error of `--check`."""
    monkeypatch.setenv("PYTHONTZPATH", f"{zones}{os.pathsep}/usr/share/zoneinfo")
    monkeypatch.setenv("COLUMNS", "200")
    (tmp_path / "tap.json").write_text(json.dumps(_config(connection, *CASES)))
    command = [str(TAP), "--config", str(tmp_path / "tap.json"), "--check"]
    done = subprocess.run(command, capture_output=True, check=False, text=True, timeout=60)
    places = set(re.findall(r"^ ?(?:sync |database )?(\S+) +error ", done.stdout, re.MULTILINE))
    of_databases = {"unreachable", "no-database", "password"}
    of_rows = {"map-null", "map-type", "map-filter"}
    assert places == {*CASES, "off", "unknown", "wrong"} - of_databases - of_rows
    assert done.returncode == 2


@pytest.mark.parametrize(("name", "exit_code"), [("map-null", 2), ("column", 3)])
def test_exit_code_is_that_of_the_failure(
    run_tap: RunTap, connection: dict[str, Any], name: str, exit_code: int
) -> None:
    """An expression is a setting; what the server refuses is an error of the server."""
    assert run_tap(_config(connection, name)).exit_code == exit_code


@pytest.mark.parametrize(
    "options",
    [{"": "x"}, {"PacketSize": ""}, {"KeepAlive": None}, {"APP": "x"}, {"Trusted_Connection": ""}],
    ids=str,
)
@pytest.mark.parametrize("place", ["default", "second"])
def test_unusable_connection_option_is_a_configuration_error(
    run_tap: RunTap, config: dict[str, Any], options: dict[str, Any], place: str
) -> None:
    """It is found before anything is connected to, and named."""
    wrong = {**config, "connection_options": options}
    base = wrong if place == "default" else {**config, "databases": {"second": wrong}}
    run = run_tap({**base, "syncs": [{"name": "a", "type": "identify", "query": GOOD}]})
    assert (run.exit_code, run.messages) == (2, []), run.log
    assert "connection_options" in run.log
    assert "bug" not in run.log
