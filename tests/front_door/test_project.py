"""The project file: what it may say, where its problems are, and a run that it describes."""

from __future__ import annotations

import json
import os
import stat
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from mssql_reverse_etl.errors import UsageError
from mssql_reverse_etl.project.document import InvalidDocument, parse_document
from mssql_reverse_etl.project.loading import load_project
from mssql_reverse_etl.project.schema import editor_schema
from mssql_reverse_etl.project.starting import write_project
from mssql_reverse_etl.project.variables import expand
from sandbox.shop import PASSWORD
from tests.front_door.projects import SECRETS, change, run_command

PROJECT = """\
tap:
  host: db.example.com
  database: shop
  username: reader
  password: ${SECRET}
  encrypt: no
target:
  destination: file
syncs:
  - name: users
    type: identify
    query: SELECT id AS userId FROM users
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Loads a project with this text; the current folder is put back."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SECRET", "canary-s3cret")
    monkeypatch.delenv("NOT_SET", raising=False)

    def load(text: str) -> Any:
        (tmp_path / "reverse_etl.yml").write_text(text)
        return load_project(tmp_path / "reverse_etl.yml")

    return load


def _problems(project, text: str) -> list[str]:
    with pytest.raises(UsageError) as caught:
        project(text)
    folder = f"{Path.cwd()}/reverse_etl.yml:"
    problems = [problem.removeprefix(folder) for problem in caught.value.problems]
    assert "canary" not in " ".join(problems)
    return problems


def test_both_programs_get_their_settings(project):
    """`syncs` go to the tap, dead letters beside the state, and `no` is a text."""
    found = project(PROJECT)

    assert found.tap["encrypt"] == "no"
    assert found.tap["password"] == "canary-s3cret"
    assert [sync["name"] for sync in found.tap["syncs"]] == ["users"]
    assert found.target == {
        "destination": "file",
        "dead_letter_path": ".reverse_etl/dead_letters.jsonl",
    }
    assert found.state == Path.cwd() / ".reverse_etl/state.json"


def test_all_problems_of_both_halves_are_listed_with_their_places(project):
    """In the order of the file, each with the nearest known key."""
    text = (
        PROJECT.replace("  host", "  prot: 1\n  host")
        .replace("destination: file", "destination: files\n  regoin: eu")
        .replace("    type:", "    frequency: 5x\n    keycolumns: [id]\n    type:")
        .replace("SELECT id", "SELECT {{nonsense}}")
        + "histroy: {}\n"
    )

    problems = _problems(project, text)

    places = [problem.split(": ")[0] for problem in problems]
    assert places == ["2:3", "9:3", "10:3", "13:5", "14:5", "17:1"]
    hints = ["`port`", "", "`region`", "", "`key_columns`", "`history`"]
    assert all(hint in problem for hint, problem in zip(hints, problems, strict=True))


PLACES = {
    "a sync's own problem": ("    type: identify", "    type: identify\n    partitions: 2", "12:5"),
    "an unknown database": ("    type: identify", "    type: identify\n    database: x", "12:5"),
    "a missing query": ("    query: SELECT id AS userId FROM users", "", "10:5"),
    "a type": ("  database: shop", "  database: 5", "3:3"),
    "a host with a port": ("db.example.com", "db.example.com:1433", "2:3"),
    "a missing half": ("target:\n  destination: file\n", "", "1:1"),
    "a half that is a list": ("target:\n  destination: file", "target: []", "7:1"),
    "syncs inside": ("  encrypt: no", "  encrypt: no\n  syncs: []", "7:3"),
    "a variable that is not set": ("shop", "${NOT_SET}", "3:3"),
    "a variable of another type": ("  encrypt: no", "  port: ${SECRET}", "6:3"),
    "a destination's need": ("destination: file", "destination: customerio", "7:1"),
    "one of several destinations": (
        "  destination: file",
        "  destinations:\n    - {destination: file}\n    - {destination: webhook, name: w}",
        "10:7",
    ),
    "twice the same sync": (
        "syncs:\n",
        "syncs:\n  - {name: users, type: identify, query: SELECT 1 AS userId}\n",
        "11:5",
    ),
    "twice the same key": ("  database: shop", "  database: shop\n  host: x", "4:3"),
    "an open quote": ("db.example.com", '"db', "2:9"),
    "a tab": ("  database: shop", "\tdatabase: shop", "3:1"),
    "a number": (PROJECT, "5", "1:1"),
    "nothing": (PROJECT, "", "1:1"),
}


@pytest.mark.parametrize(("old", "new", "place"), PLACES.values(), ids=list(PLACES))
def test_problem_says_where(project, old, new, place):
    """At the setting that is wrong, or at what lacks it."""
    assert old in PROJECT

    problems = _problems(project, PROJECT.replace(old, new, 1))

    assert place in {problem.split(": ")[0] for problem in problems}


def test_missing_half_is_one_problem(project):
    """It says nothing of what could be inside."""
    (problem,) = _problems(project, "tap: {host: x, database: d}\ntarget: {destination: file}\n")

    assert problem == "1:1: The configuration lacks `syncs`."


def test_variable_that_is_not_set_is_the_only_problem_of_its_setting(project):
    """Not also that the key is missing."""
    text = PROJECT.replace("  destination: file", "  write_key: ${NOT_SET}\n  destination: segment")

    (problem,) = _problems(project, text)

    assert problem.startswith("8:3: Setting `target.write_key`: the variable NOT_SET is not set")


def test_variables_come_from_the_environment_then_from_the_file_beside(project, monkeypatch):
    """A default if neither has one; numbers and booleans where the setting is one."""
    Path(".env").write_text("SECRET=other\nPORT=1444\nTRUST=yes\nEMPTY=\n")
    text = PROJECT.replace(
        "  encrypt: no",
        "  encrypt: ${ENCRYPT:-no}\n  port: ${PORT}\n  trust_server_certificate: ${TRUST}\n"
        "  login_timeout_seconds: ${SECONDS:-7}",
    ).replace("SELECT id", "SELECT '$${x}${EMPTY}'")

    tap = project(text).tap

    assert tap["password"] == "canary-s3cret"
    assert (tap["encrypt"], tap["port"], tap["trust_server_certificate"]) == ("no", 1444, True)
    assert tap["login_timeout_seconds"] == 7
    assert tap["syncs"][0]["query"] == "SELECT '${x}' AS userId FROM users"
    monkeypatch.setenv("PORT", "1555")
    assert project(text).tap["port"] == 1555


def test_paths_are_relative_to_the_file(project, tmp_path):
    """Wherever the command is started."""
    (tmp_path / "queries").mkdir()
    (tmp_path / "queries/users.sql").write_text("SELECT 1 AS userId")
    os.chdir("/")

    project(
        PROJECT.replace("query: SELECT id AS userId FROM users", "query_file: queries/users.sql")
    )

    assert Path.cwd() == tmp_path


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text("ab ~:#'\"\\\n-{}[]0123.éno", max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text("abyn1", min_size=1), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(JSON)
def test_json_is_yaml(value):
    """Any JSON text has its own value."""
    assert parse_document(json.dumps(value)).data == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: no\nb: yes\nc: on\nd: 12:30\ne: 0o7\nf: 1_000",
         {"a": "no", "b": "yes", "c": "on", "d": "12:30", "e": "0o7", "f": "1_000"}),
        ("a: true\nb: ~\nc: 5\nd: -1.5e3\ne: '5'\nf:",
         {"a": True, "b": None, "c": 5, "d": -1500.0, "e": "5", "f": None}),
        ("a: &x [1]\nb: *x", {"a": [1], "b": [1]}),
        ("a: |\n  SELECT 1\n  -- {{x}}\n", {"a": "SELECT 1\n-- {{x}}\n"}),
    ],
)  # fmt: skip
def test_values_follow_yaml_1_2(text, value):
    """`encrypt: no` is a text, as the setting wants it."""
    assert parse_document(text).data == value


@pytest.mark.parametrize("content", [b"\xff\xfeA\x00", b"A=\xff\n"])
def test_variables_that_cannot_be_read_are_a_problem(project, content):
    """A .env file in another encoding is named, without its content."""
    Path(".env").write_bytes(content)

    with pytest.raises(UsageError, match=r"\.env cannot be read: it is (UTF-16|not UTF-8)"):
        project(PROJECT)


def test_aliases_of_aliases_do_not_fill_the_memory():
    """A small file stands for a great many values."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]

    with pytest.raises(InvalidDocument, match="too many values"):
        parse_document("\n".join(lines))


def test_editors_may_note_their_schema_in_the_file(project):
    """As in the configurations of both programs."""
    assert project("$schema: ./schema.json\n" + PROJECT).tap["host"] == "db.example.com"


@pytest.mark.parametrize(
    "text", ["[" * 1000, "a: &a [*a]", "a: b: c", "? [a]\n: 1", "\x00", "a: *b", "--- a\n--- b"]
)
def test_what_is_no_project_says_so(text):
    """With a place, and without a traceback."""
    with pytest.raises(InvalidDocument):
        parse_document(text)


def test_expansion_leaves_keys_and_other_values_alone():
    """Only texts are looked at, at any depth."""
    missing: list[Any] = []
    value = {"${A}": [1, None, {"b": "x${A}y$${A}"}], "c": "${N}"}

    found = expand(value, {"A": "1"}, lambda path, name: missing.append((path, name)))

    assert found == {"${A}": [1, None, {"b": "x1y${A}"}], "c": ""}
    assert missing == [(("c",), "N")]


def test_schema_accepts_the_starter_and_variables_anywhere(tmp_path):
    """Editors show no error in it, and find misspelt keys."""
    list(write_project(tmp_path))
    schema = json.loads((tmp_path / ".reverse_etl/schema.json").read_text())
    starter = parse_document((tmp_path / "reverse_etl.yml").read_text()).data
    validator = Draft202012Validator(schema)

    assert schema == editor_schema()
    Draft202012Validator.check_schema(schema)
    assert list(validator.iter_errors(starter)) == []
    starter["tap"] |= {"port": "${PORT}", "trust_server_certificate": "${TRUST:-false}"}
    starter["target"]["timeout_seconds"] = "${SECONDS}"
    assert list(validator.iter_errors(starter)) == []
    starter["tap"]["port"] = "x"
    starter["syncs"][0]["querry"] = "x"
    assert len(list(validator.iter_errors(starter))) == 2


def test_starter_overwrites_nothing_and_keeps_secrets_out_of_git(tmp_path):
    """What is there stays; what a .gitignore lacks is said."""
    (tmp_path / ".gitignore").write_text("*.pyc\n")
    (tmp_path / "queries").mkdir()
    (tmp_path / "queries/users.sql").write_text("SELECT 1")

    done = run_command(tmp_path, "init")
    again = run_command(tmp_path, "init", ".")

    assert (done.returncode, again.returncode) == (0, 0)
    assert (tmp_path / "queries/users.sql").read_text() == "SELECT 1"
    assert (tmp_path / ".gitignore").read_text() == "*.pyc\n"
    assert "Add .env and .reverse_etl/ to .gitignore" in done.stdout
    assert "wrote reverse_etl.yml" in done.stdout
    assert "kept  reverse_etl.yml" in again.stdout
    assert stat.S_IMODE((tmp_path / ".reverse_etl").stat().st_mode) == 0o700
    assert yaml.safe_load((tmp_path / "reverse_etl.yml").read_text())["syncs"]


def test_starter_runs_on_the_sandbox_with_two_variables(tmp_path, shop):
    """`init`, two variables, `run`: every row arrives, and the state is in the project's folder."""
    assert run_command(tmp_path, "init", "p").returncode == 0
    folder = tmp_path / "p"
    shop.use(folder)
    (folder / ".env").write_text("".join(f"{n}={v}\n" for n, v in SECRETS.items()))
    shop.collector.forget()

    done = run_command(folder, "run")
    elsewhere = run_command(
        tmp_path, "run", "--project", "p/reverse_etl.yml", "users", "--resync", "users"
    )
    unknown = run_command(folder, "run", "user")

    assert (done.returncode, elsewhere.returncode, unknown.returncode) == (0, 0, 2), done.stderr
    assert "did you mean users?" in unknown.stderr
    people = Counter(call.body["userId"] for call in shop.collector.calls)
    assert len(people) > 1000
    assert set(people.values()) == {2}
    assert json.loads((folder / ".reverse_etl/state.json").read_text())["bookmarks"]["users"]
    assert PASSWORD not in done.stderr + done.stdout
    assert not list(tmp_path.glob("*.json"))


def test_run_only_runs_the_named_syncs(tmp_path, shop):
    """The bookmarks of the others stay."""
    run_command(tmp_path, "init")
    shop.use(tmp_path)
    other = "  - { name: other, type: identify, query: SELECT id AS userId FROM users }\n"
    change(tmp_path, "syncs:\n", f"syncs:\n{other}")

    done = run_command(tmp_path, "run", "users", **SECRETS)

    assert done.returncode == 0, done.stderr
    state = json.loads((tmp_path / ".reverse_etl/state.json").read_text())
    assert set(state["bookmarks"]) == {"users"}


@pytest.mark.parametrize(
    "arguments", [["--tap", "x"], ["--tap", "x", "--target", "y"], ["--state", "s"]]
)
def test_singer_files_belong_together(tmp_path, arguments):
    """All three, or a project."""
    done = run_command(tmp_path, "run", *arguments)

    assert done.returncode == 2
    assert "belong together" in done.stderr


def test_without_a_project_the_message_names_the_remedy(tmp_path):
    """Exit code 2, and no traceback."""
    done = run_command(tmp_path, "run")

    assert done.returncode == 2
    assert "mssql-reverse-etl init" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_project_runs_on_a_cluster(tmp_path, shop):
    """With --dask: the same calls, state and folder as without."""
    run_command(tmp_path, "init")
    shop.use(tmp_path)
    other = "  - { name: other, type: identify, query: SELECT id AS userId FROM users }\n"
    change(tmp_path, "syncs:\n", f"syncs:\n{other}")
    shop.collector.forget()

    done = run_command(tmp_path, "run", "--dask", "--workers", "2", "users", **SECRETS)

    assert done.returncode == 0, done.stderr
    assert "Delivered 1,200 calls of 1 sync" in done.stdout
    assert len({call.body["userId"] for call in shop.collector.calls}) == 1200
    state = json.loads((tmp_path / ".reverse_etl/state.json").read_text())
    assert set(state["bookmarks"]) == {"users"}
