"""The program loads only what it needs."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from program_kit import startup
from tests.tap.conftest import TAP

if TYPE_CHECKING:
    from pathlib import Path

_HEAVY = {"pyarrow", "mssql_python", "pyodbc", "sqlglot", "rich"}
_LIST = """
import sys
from tap_mssql_query.__main__ import main
try:
    main()
finally:
    print(*sys.modules, file=sys.stderr)
"""


def _loaded(*arguments: Any) -> set[str]:
    """The heavy libraries that a run of the program loads."""
    command = [sys.executable, "-c", _LIST, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return _HEAVY & set(done.stderr.splitlines()[-1].split())


@pytest.mark.parametrize("option", ["--about", "--version", "--help"])
def test_help_loads_no_driver(option: str) -> None:
    """Help and version load neither a driver nor Arrow nor a SQL parser."""
    assert _loaded(option) == set()


@pytest.mark.parametrize(
    ("settings", "loaded"),
    [
        pytest.param({"start_at": "2999-01-01T00:00:00Z"}, {"mssql_python"}, id="nothing due"),
        pytest.param({}, {"mssql_python", "pyarrow"}, id="rows to read"),
    ],
)
def test_run_loads_arrow_only_for_rows(
    connection: dict[str, Any], tmp_path: Path, settings: dict[str, str], loaded: set[str]
) -> None:
    """A sync that is not due loads only a driver; one that is due loads Arrow as well."""
    sync = {"name": "s", "type": "identify", "query": "SELECT id FROM retl_test_users", **settings}
    config = tmp_path / "tap.json"
    config.write_text(json.dumps({**connection, "reader": "arrow", "syncs": [sync]}))
    assert _loaded("--config", config) == loaded


def test_sync_run_needs_no_sdk() -> None:
    """The run of a sync does not import singer-sdk."""
    code = "import sys, tap_mssql_query.sync.run; print('singer_sdk' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "False\n"


def _cpu_seconds(*arguments: str | Path) -> float:
    process = subprocess.Popen([TAP, *arguments], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_utime + usage.ru_stime


def test_start_is_fast() -> None:
    """Starting takes less than 1.2 s of CPU time."""
    assert min(_cpu_seconds("--about") for _ in range(2)) < 1.2


def test_garbage_is_collected_after_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Garbage collection is off only during the start."""
    program = ModuleType("program")
    seen: list[bool] = []
    program.main = lambda: seen.append(gc.isenabled())  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, program.__name__, program)
    startup.start(program.__name__)
    gc.unfreeze()
    assert seen == [True]


_UNWRITTEN = """
import logging, sys, threading
from program_kit.command_line import run_program
def cli():
    threading.Thread(target=threading.Event().wait, daemon=True).start()
    sys.stdout.write("x")
run_program(cli, logging.getLogger())
"""


@pytest.mark.parametrize(("path", "exit_code"), [("/dev/null", 0), ("/dev/full", 1)])
def test_lost_output_is_a_failure(path: str, exit_code: int) -> None:
    """Lost output is a failure, even if the program ends with a thread left in a driver."""
    environment = {key: os.environ[key] for key in os.environ if key != "PYTHONUNBUFFERED"}
    with open(path, "w") as output:  # noqa: PTH123 - a device
        command = [sys.executable, "-c", _UNWRITTEN]
        done = subprocess.run(command, stdout=output, env=environment, check=False)

    assert done.returncode == exit_code
