from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.front_door.projects import PROGRAM, run_command

HEAVY = {"duckdb", "mssql_python", "pyarrow", "requests", "rich.table", "singer_sdk", "sqlglot"}


def test_help_starts_fast():
    """It imports no library that only a run needs."""
    code = (
        "import sys\n"
        "from mssql_reverse_etl.command_line import cli\n"
        "cli(['--help'], standalone_mode=False)\n"
        f"sys.exit(str({HEAVY!r} & set(sys.modules)))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert "run       Run all syncs that are due, once." in done.stdout
    assert done.stderr.strip() == "set()"


@pytest.mark.parametrize("command", [["schema"], ["status"], ["runs"], ["runs", "--json"]])
def test_full_disk_under_stdout_is_an_error(tmp_path, command):
    """A table or an array that is cut is not taken for a whole one."""
    run_command(tmp_path, "init")

    with open("/dev/full", "w") as full:  # noqa: PTH123 - a device
        done = subprocess.run(
            [PROGRAM, *command], cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, check=False
        )

    assert done.returncode == 74
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("command", [["schema"], ["status"], ["runs"], ["runs", "--json"]])
def test_closed_pipe_ends_a_command_in_silence(tmp_path, command):
    """As SIGPIPE would."""
    run_command(tmp_path, "init")
    reader, writer = os.pipe()
    os.close(reader)

    done = subprocess.run(
        [PROGRAM, *command], cwd=tmp_path, stdout=writer, stderr=subprocess.PIPE, check=False
    )
    os.close(writer)

    assert (done.returncode, done.stderr) == (141, b"")


def test_workers_without_a_cluster_are_refused(tmp_path):
    """Nothing is ignored in silence."""
    run_command(tmp_path, "init")

    assert run_command(tmp_path, "run", "--workers", "2").returncode == 2
