"""The real Meltano: it installs this repository as a user would, and runs it over the sandbox."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.collector import DEFAULT_WRITE_KEY, Behaviour
from sandbox.shop import DATABASE, PASSWORD, change_shop, create_shop
from sandbox.sql_server.engine import DuckDBEngine
from tests.end_to_end.meltano_project import (
    MeltanoProject,
    copy_repository,
    require_meltano,
    wait_for,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
RUN = ("run", "tap-mssql-query", "target-pipelines")
TYPES = {"users": "identify", "events": "track"}
"""The syncs of meltano.yml."""


class _Clock:
    now = START

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> _Clock:
    """The server's clock, set by hand."""
    return _Clock()


@pytest.fixture
def engine(clock) -> DuckDBEngine:
    """The shop with all its rows."""
    engine = DuckDBEngine(clock=clock)
    create_shop(engine)
    return engine


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> MeltanoProject:
    """The repository's own project after `meltano install`."""
    require_meltano()
    project = copy_repository(tmp_path_factory.mktemp("meltano") / "project")
    project.run_well("install")
    return project


@pytest.fixture
def sandbox_settings(server, collector) -> dict[str, str]:
    """Where the sandbox is, as environment variables: they win over meltano.yml."""
    return {
        "TAP_MSSQL_QUERY_PORT": str(server.port),
        "TARGET_PIPELINES_DESTINATION": "customerio",
        "TARGET_PIPELINES_ENDPOINT": collector.url,
        "TARGET_PIPELINES_WRITE_KEY": DEFAULT_WRITE_KEY,
    }


@pytest.fixture
def project(installed, sandbox_settings, tmp_path) -> Iterator[MeltanoProject]:
    """The project with a system database and output of its own; meltano.yml may be changed."""
    database = shutil.copy2(installed.folder / ".meltano" / "meltano.db", tmp_path)
    text = installed.file.read_text()
    yield installed.with_settings(
        **sandbox_settings,
        MELTANO_DATABASE_URI=f"sqlite:///{database}",
        TARGET_PIPELINES_DEAD_LETTER_PATH=str(tmp_path / "dead_letters.jsonl"),
    )
    installed.file.write_text(text)


def _calls_by_type(collector) -> Counter[str]:
    return Counter(call.type for call in collector.calls)


def test_second_run_sends_exactly_the_changed_rows(project, engine, clock, collector, tmp_path):
    """`meltano run` as in meltano.yml: all rows, then what changed; the state is in its database."""
    project.run_well(*RUN)
    assert _calls_by_type(collector).keys() == set(TYPES.values())
    assert len(collector.calls) > 3000

    clock.now += timedelta(hours=1)
    changed = change_shop(lambda statement: engine.run(DATABASE, statement))
    clock.now += timedelta(hours=1)
    collector.forget()
    project.run_well(*RUN)

    expected = Counter({kind: changed[name] for name, kind in TYPES.items()})
    refused = len((tmp_path / "dead_letters.jsonl").read_text().splitlines()) - 3
    expected["track"] -= refused
    assert _calls_by_type(collector) == expected
    state = project.run_well("state", "get", "dev:tap-mssql-query-to-target-pipelines")
    bookmarks = json.loads(state.splitlines()[-1])["singer_state"]["bookmarks"]
    assert {
        name: bookmark["last_sync_time"] for name, bookmark in bookmarks.items()
    } == dict.fromkeys(TYPES, int(clock.now.timestamp()))
