from __future__ import annotations

import subprocess
import sys

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
