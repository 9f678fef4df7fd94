"""A starter project that works on the sandbox, for the tests of the front door's commands."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.collector import DEFAULT_WRITE_KEY
from sandbox.shop import PASSWORD

if TYPE_CHECKING:
    from sandbox.collector import Collector
    from sandbox.sql_server.server import SqlServer

PROGRAM = Path(sys.executable).with_name("mssql-reverse-etl")
SECRETS = {"MSSQL_PASSWORD": PASSWORD, "CUSTOMERIO_WRITE_KEY": DEFAULT_WRITE_KEY}
_SQL_PORT, _ENDPOINT = "14330", "http://127.0.0.1:8090/v1"
"""Of the sandbox, as the starter has them."""


@dataclass(frozen=True)
class Shop:
    """The sandbox's servers, at ports of their own."""

    server: SqlServer
    collector: Collector

    def use(self, folder: Path) -> None:
        """Let the starter project in a folder use these servers."""
        change(folder, _SQL_PORT, str(self.server.port))
        change(folder, _ENDPOINT, self.collector.url)


def change(folder: Path, old: str, new: str) -> None:
    """Replace a text of the project file, which has it."""
    path = folder / "reverse_etl.yml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def run_command(
    folder: Path, *arguments: str, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run `mssql-reverse-etl` in a folder."""
    return subprocess.run(
        [str(PROGRAM), *arguments],
        cwd=folder,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
