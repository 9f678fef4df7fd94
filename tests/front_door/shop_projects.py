"""Projects with the syncs of the sandbox's shop, written as JSON, which is YAML."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sandbox.collector import DEFAULT_WRITE_KEY
from sandbox.shop import PASSWORD, SYNCS
from tests.front_door.projects import SECRETS, run_command

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Sequence
    from pathlib import Path

    from tests.front_door.projects import Shop

USERS, EVENTS, MERGED = (dict(SYNCS[number]) for number in (0, 1, 5))
BAD = {"name": "bad", "type": "identify", "query": "SELECT nothing FROM users"}
OFF = {
    "name": "off",
    "type": "identify",
    "enabled": False,
    "query": "SELECT 1 AS userId, CAST(NULL AS int) AS plan_id",
}
DAILY = {"name": "daily", "type": "identify", "frequency": "1d", "query": "SELECT 1 AS userId"}
TERMINAL = {"COLUMNS": "80", "TTY_COMPATIBLE": "1", "NO_COLOR": "1", "TERM": "dumb"}
"""What makes stdout a terminal of 80 columns for rich, without colours."""


def target_of(shop: Shop, **settings: Any) -> dict[str, Any]:
    """Settings of one destination, which is the collector."""
    return {
        "destination": "customerio",
        "write_key": DEFAULT_WRITE_KEY,
        "endpoint": shop.collector.url,
        **settings,
    }


def write_project(
    folder: Path, shop: Shop, syncs: Sequence[dict[str, Any]], target: dict[str, Any] | None = None
) -> None:
    """Write a project; what the collector got before is forgotten."""
    tap = {
        "host": "127.0.0.1",
        "port": shop.server.port,
        "database": "shop",
        "username": "reader",
        "password": PASSWORD,
        "encrypt": "no",
    }
    project = {"tap": tap, "target": target or target_of(shop), "syncs": syncs}
    (folder / "reverse_etl.yml").write_text(json.dumps(project))
    shop.collector.forget()


def run_in(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run `mssql-reverse-etl` there."""
    return run_command(folder, *arguments, **SECRETS, **variables)


def files_in(folder: Path) -> dict[str, bytes]:
    """All files of a project with their content."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}
