"""Meltano installs this repository as a user would, and runs it with the sandbox."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from collections import Counter
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from sandbox.collector import DEFAULT_WRITE_KEY, Behaviour
from sandbox.shop import DATABASE, PASSWORD, READER, change_shop, create_shop
from sandbox.sql_server.engine import DuckDBEngine
from tests.end_to_end.meltano_environment import ROOT
from tests.end_to_end.meltano_project import (
    MeltanoProject,
    build_wheel,
    copy_repository,
    kill_all,
    read_named_blocks,
    require_meltano,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RUN = ("run", "tap-mssql-query", "target-pipelines")
READER_SETTINGS = {
    "TAP_MSSQL_QUERY_HOST": "127.0.0.1",
    "TAP_MSSQL_QUERY_DATABASE": DATABASE,
    "TAP_MSSQL_QUERY_USERNAME": READER,
    "TAP_MSSQL_QUERY_PASSWORD": PASSWORD,
    "TAP_MSSQL_QUERY_TRUST_SERVER_CERTIFICATE": "true",
}
TYPES = {"users": "identify", "events": "track"}
"""The syncs of meltano.yml."""


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
    """The sandbox's addresses as environment variables, which take precedence over meltano.yml."""
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


def _read_bookmarks(database: Path) -> dict[str, dict[str, int]]:
    """As `meltano state get` does, which takes seconds to start."""
    with closing(sqlite3.connect(database)) as connection:
        rows = connection.execute("SELECT state_id, completed_state FROM state").fetchall()
    ((state_id, state),) = rows
    assert state_id == "dev:tap-mssql-query-to-target-pipelines"
    return dict(json.loads(state)["singer_state"]["bookmarks"])


def test_second_run_sends_exactly_the_changed_rows(project, engine, clock, collector, tmp_path):
    """`meltano run` sends all rows, then the changes; the state is in Meltano's database."""
    project.run_well(*RUN)
    assert _calls_by_type(collector).keys() == set(TYPES.values())
    assert len(collector.calls) > 3000

    clock.now += timedelta(hours=1)
    changed = change_shop(lambda statement: engine.run(DATABASE, statement))
    clock.now += timedelta(hours=1)
    collector.forget()
    project.run_well(*RUN)

    expected = Counter({kind: changed[name] for name, kind in TYPES.items()})
    rejected = len((tmp_path / "dead_letters.jsonl").read_text().splitlines()) - 3
    expected["track"] -= rejected
    assert _calls_by_type(collector) == expected
    bookmarks = _read_bookmarks(tmp_path / "meltano.db")
    assert {
        name: bookmark["last_sync_time"] for name, bookmark in bookmarks.items()
    } == dict.fromkeys(TYPES, int(clock.now.timestamp()))


LEFT_OUT = """\
    select: ["*.*", "!users.traits.email", '!users.traits\\.phone', "!users.traits?fax", "!*.value"]
    metadata: {users: {traits.city: {selected: false}, "traits?zip": {selected: false}}}
    config:
      stream_maps:
        users: {lname: null, traits.age: __NULL__, fname: fname.upper()}
"""
COLUMNS = ("email", "phone", "fax", "city", "zip", "age", "kept")


def test_columns_that_are_left_out_are_not_sent(project, collector):
    """Columns with dots can be left out in every way; an unknown one stops its sync alone."""
    dotted = ", ".join(f"'canary' AS [traits.{name}]" for name in COLUMNS)
    project.replace_text("fname, lname, msisdn AS phone", f"fname, lname, {dotted}")
    project.replace_text("    config:\n      syncs:", f"{LEFT_OUT}      syncs:")

    project.run_well(*RUN)
    sent = {kind: [c.body for c in collector.calls if c.type == kind] for kind in TYPES.values()}
    collector.forget()
    misspelt = json.dumps(["*.*", "!users.traits.emial", "!users.traits.?*"])
    fresh = ("run", "--state-id-suffix", "fresh", *RUN[1:])
    other = project.with_settings(TAP_MSSQL_QUERY__SELECT=misspelt).run(*fresh)
    unknown = json.dumps(["*.*", "!user.email"])
    nobody = project.with_settings(TAP_MSSQL_QUERY__SELECT=unknown).run(*fresh)

    traits = {frozenset(body["traits"]) for body in sent["identify"]}
    assert frozenset.union(*traits) == {"email", "fname", "kept"}
    assert all((name := body["traits"]["fname"]) == name.upper() for body in sent["identify"])
    assert not any("value" in body.get("properties", {}) for body in sent["track"])
    assert (other.exit_code, nobody.exit_code) == (1, 1)
    assert "`!users.traits.emial` leaves out a column that its result does not have" in other.output
    assert "(did you mean `traits.email`?)" in other.output
    assert "but no sync is called that (did you mean `users`?)" in nobody.output
    assert _calls_by_type(collector).keys() == {"track"}


@pytest.mark.slow
def test_job_and_schedule_share_a_state_in_files(project, clock, collector, tmp_path):
    """With `state_backend.uri` a schedule resumes from the job's state and respects `frequency`."""
    states = tmp_path / "states"
    project = project.with_settings(MELTANO_STATE_BACKEND_URI=f"file://{states}")
    project.run_well("run", "shop-to-pipelines")
    assert _calls_by_type(collector).keys() == set(TYPES.values())
    (file,) = states.glob("*/state.json")
    assert set(json.loads(file.read_text())["completed"]["singer_state"]["bookmarks"]) == set(TYPES)

    clock.now += timedelta(minutes=1)
    collector.forget()
    log = project.run_well("schedule", "run", "every-minute")

    assert "sync=users skipped: not due yet" in log
    assert "sync=events type=track rows=0" in log
    assert collector.calls == []


@pytest.mark.slow
def test_second_run_of_the_same_state_is_refused(project, collector):
    """While a run is in progress, Meltano refuses to start another."""
    collector.script([Behaviour(delay_seconds=60.0, contains="batch")])
    with project.start(*RUN) as first:
        collector.wait_for_calls(1, timeout_seconds=60)
        second = project.run(*RUN)
        assert first.poll() is None
        kill_all(first)

    assert second.exit_code == 1
    assert "is already running" in second.output


BOTH_SYNCS = r"shop is reachable(.|\n)*sync users *ok(.|\n)*sync events *ok"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param(["tap-mssql-query:check"], BOTH_SYNCS, id="check-command"),
        pytest.param(["tap-mssql-query", "--about"], "TAP_MSSQL_QUERY_SYNCS", id="about"),
        pytest.param(["target-pipelines:call-types"], "merge two identities", id="call-types"),
    ],
)
def test_programs_run_through_meltano(arguments, expected, project):
    """`meltano invoke` runs options and commands, with the settings of the project.

    The option `--check` is in `test_expanded_name_is_reported_and_an_escaped_one_kept`.
    """
    assert re.search(expected, project.run_well("invoke", *arguments))


def test_expanded_name_is_reported_and_an_escaped_one_kept(project):
    r"""Meltano expands `$IDENTITY` to nothing, which `--check` reports; `\$IDENTITY` is kept."""
    syncs = "      syncs:\n"
    from_file = "      - {name: filed, type: identify, query_file: filed.sql}\n"
    project.replace_text(syncs, syncs + from_file)
    (project.folder / "filed.sql").write_text("SELECT $IDENTITY AS userId FROM users")
    project.replace_text("SELECT id AS userId, email", "SELECT $IDENTITY AS userId, email")
    project.replace_text("SELECT id AS userId, event", r"SELECT \$IDENTITY AS userId, event")

    output = project.run("invoke", "tap-mssql-query", "--check").output

    assert "shop is reachable" in output
    assert re.search(r"sync users +warning +Something is missing at `SELECT AS`", output)
    assert r"\$IDENTITY in meltano.yml" in output
    assert re.search(r"sync events +error .*Invalid column name '\$IDENTITY'", output)
    assert "sync filed" in output
    assert output.count("Something is missing") == 1


@pytest.mark.slow
def test_call_type_of_a_plugin_works_in_meltano(sandbox_settings, collector, tmp_path):
    """A sync can use the call type of plugins/README.md once `pip_url` names its folder."""
    require_meltano()
    project = copy_repository(tmp_path / "project")
    for name, text in read_named_blocks().items():
        (project.folder / "acme").mkdir(exist_ok=True)
        (project.folder / "acme" / name).write_text(text)
    project.replace_text("pip_url: -e .", "pip_url: -e . -e ./acme")
    sync = {
        "name": "gone",
        "type": "delete_person",
        "query": "SELECT TOP 1 id AS userId FROM users",
    }
    settings = {**sandbox_settings, "TAP_MSSQL_QUERY_SYNCS": json.dumps([sync])}
    project = project.with_settings(**settings)

    project.run_well("install")
    project.run_well(*RUN)

    (call,) = collector.calls
    assert (call.type, call.body["event"]) == ("track", "User Deleted")


@pytest.fixture
def new_project(sandbox_settings, tmp_path) -> MeltanoProject:
    """A user's own project, without plugins; uv finds the distribution, as built from here."""
    require_meltano()
    project = MeltanoProject(tmp_path / "project")
    project.folder.mkdir()
    project.file.write_text("default_environment: dev\nenvironments: [{name: dev}]\n")
    wheels = build_wheel(copy_repository(tmp_path / "source").folder, tmp_path / "wheels")
    sync = {"name": "people", "type": "identify", "query": "SELECT * FROM people"}
    return project.with_settings(
        **sandbox_settings,
        **READER_SETTINGS,
        TAP_MSSQL_QUERY_SYNCS=json.dumps([sync]),
        TAP_MSSQL_QUERY__SELECT=json.dumps(["*.*", "!people.hidden"]),
        UV_FIND_LINKS=wheels,
    )


@pytest.mark.slow
def test_definitions_for_the_hub_make_a_project(new_project, engine, collector):
    """`meltano add --from-ref` and `meltano run` work; a cached catalog hides no new column."""
    engine.run(DATABASE, "CREATE TABLE people (userId int, a int, hidden int)")
    engine.run(DATABASE, "INSERT INTO people VALUES (1, 2, 0)")
    for name in ("tap-mssql-query", "target-pipelines"):
        definition = ROOT / "meltano" / "hub" / f"{name}.yml"
        new_project.run_well("add", "--from-ref", definition, name)
    new_project.run_well(*RUN)

    engine.run(DATABASE, "DROP TABLE people")
    engine.run(DATABASE, "CREATE TABLE people (userId int, a int, hidden int, b int)")
    engine.run(DATABASE, "INSERT INTO people VALUES (1, 2, 0, 3)")
    log = new_project.run_well(*RUN)

    assert "Running catalog discovery" not in log
    assert [call.body["traits"] for call in collector.calls] == [{"a": 2}, {"a": 2, "b": 3}]
