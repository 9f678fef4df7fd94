"""Findings about a sync that need no server."""

from __future__ import annotations

import shutil
import zoneinfo
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from program_kit.findings import Level
from tap_mssql_query.checks.sync import check_query_text
from tap_mssql_query.settings.model import parse_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

QUERY = "SELECT id AS userId FROM users WHERE changed >= {{last_sync_datetime}}"


@pytest.fixture
def own_zone(tmp_path: Path) -> Iterator[str]:
    """A zone in Python's database alone, as `posix/UTC` is on some machines."""
    before = zoneinfo.TZPATH
    berlin = next(path for path in map(Path, before) if (path / "Europe/Berlin").is_file())
    (tmp_path / "Own").mkdir()
    shutil.copy(berlin / "Europe/Berlin", tmp_path / "Own" / "Berlin")
    zoneinfo.reset_tzpath([str(tmp_path), *before])
    yield "Own/Berlin"
    zoneinfo.reset_tzpath(before)


def _errors(zone: str) -> list[str]:
    sync = {"name": "s", "type": "identify", "query": QUERY, "timezone": zone}
    settings = parse_settings({"host": "db", "syncs": [sync]})
    findings = check_query_text(settings.syncs[0])
    return [finding.message for finding in findings if finding.level is Level.ERROR]


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
def test_ordinary_zone_is_no_error(zone: str) -> None:
    """Both libraries know it."""
    assert not _errors(zone)


def test_zone_that_only_python_knows_is_an_error(own_zone: str) -> None:
    """Found before a run, in which it would fail the sync."""
    (message,) = _errors(own_zone)
    assert f"`timezone` {own_zone} is not known" in message
    assert "such as Europe/Amsterdam" in message
