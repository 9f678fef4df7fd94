"""Third-party plugins, installed as separate distributions."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from contextlib import closing
from dataclasses import fields
from pathlib import Path

import pytest

from target_pipelines import HttpProfile
from target_pipelines.testing import RecordingServer
from tests.packaging.conftest import INSTALLERS, ROOT
from tests.target.conftest import lines, record, schema

DESTINATIONS = ROOT / "plugins" / "examples" / "acme_destinations"
EXAMPLE = ROOT / "plugins" / "examples" / "acme_semantic_events"
README = ROOT / "plugins" / "README.md"
NAMED_BLOCK = re.compile(r"^`([\w.]+)`\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def install(environment, source, run):
    """Installs a distribution with `pip install .`; returns the folder of the programs."""

    def install_beside(folder: Path) -> Path:
        run(*INSTALLERS["pip"](environment, source))
        run(*INSTALLERS["pip"](environment, folder))
        return Path(environment, "bin")

    return install_beside


@pytest.fixture
def dry_run(tmp_path, run):
    """The calls that the installed target makes of records."""

    def calls_of(programs: Path, messages: list[dict[str, object]]) -> list[dict[str, object]]:
        config, rows = tmp_path / "target.json", tmp_path / "rows.jsonl"
        config.write_text(json.dumps({"destination": "customerio", "write_key": "k"}))
        rows.write_text(lines(messages))
        target = programs / "target-pipelines"
        output = run(target, "--config", config, "--input", rows, "--dry-run")
        return [json.loads(line) for line in output.splitlines()]

    return calls_of


def _without_id(call: dict[str, object]) -> dict[str, object]:
    assert call["messageId"]
    return {name: value for name, value in call.items() if name != "messageId"}


def _copy_of(folder: Path, into: Path) -> Path:
    return Path(shutil.copytree(folder, into, ignore=shutil.ignore_patterns("__pycache__")))


def test_example_distribution_works(install, dry_run, run, tmp_path):
    """Its call types are listed, and make the calls that Customer.io documents."""
    programs = install(_copy_of(EXAMPLE, tmp_path / "acme"))

    listed = run(programs / "target-pipelines", "--list-call-types")
    calls = dry_run(
        programs,
        [
            schema("gone", "delete_person"),
            record("gone", userId=7),
            schema("devices", "device"),
            record("devices", userId=7, **{"context.device.token": "t"}),
            schema("left", "delete_relationship"),
            record("left", userId=7, objectId="a", objectTypeId=1),
        ],
    )

    for name in re.findall(r"^\| `(\w+)` \|", (EXAMPLE / "README.md").read_text(), re.MULTILINE):
        assert re.search(rf"^ *{name} .*acme_semantic_events *$", listed, re.MULTILINE)
    assert [_without_id(call) for call in calls] == [
        {"type": "track", "userId": "7", "event": "User Deleted"},
        {
            "type": "track",
            "userId": "7",
            "context": {"device": {"token": "t"}},
            "event": "Device Created or Updated",
        },
        {
            "type": "track",
            "userId": "7",
            "properties": {"objectId": "a", "objectTypeId": 1},
            "event": "Relationship Deleted",
        },
    ]


def test_own_tests_of_the_example_pass(install, environment, run, tmp_path):
    """Its tests need the installed packages, and nothing else of this repository."""
    folder = _copy_of(EXAMPLE, tmp_path / "acme")
    install(folder)

    python = environment / "bin" / "python"
    passed = run(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", folder / "tests")

    assert re.search(r"^\d\d+ passed in ", passed, re.MULTILINE)


def test_example_of_destinations_works(install, environment, run, tmp_path):
    """A file and a bulk API: both are listed with their settings, deliver, and pass their tests."""
    folder = _copy_of(DESTINATIONS, tmp_path / "acme")
    programs = install(folder)
    rows, config, letters = (tmp_path / name for name in ("rows.jsonl", "t.json", "letters.jsonl"))
    rows.write_text(lines([schema("u", "identify"), *(record("u", userId=n) for n in (1, 2, 3))]))
    common = {"dead_letter_path": str(letters), "max_rejected_ratio": 1, "concurrency": 1}

    def deliver(**settings: object) -> None:
        config.write_text(json.dumps(common | settings))
        run(programs / "target-pipelines", "--config", config, "--input", rows)

    listed = run(programs / "target-pipelines", "--list-destinations")
    options: dict[str, object] = {"database_path": str(tmp_path / "calls.db")}
    deliver(destination="acme_sqlite", destination_options=options)
    with RecordingServer() as server:
        body = json.dumps({"items": [{"status": 201}, {"status": 422}, {"status": 201}]})
        server.script([{"status": 207, "body": body}])
        options = {"acme_project": "shop"}
        given = {"endpoint": server.url, "write_key": "k", "destination_options": options}
        deliver(destination="acme_bulk", **given)
    (request,) = server.received()
    (letter,) = map(json.loads, letters.read_text().splitlines())

    assert re.search(r"acme_sqlite .*database_path \(string, required\)", listed)
    assert re.search(r"api_secret \(string, secret\)", listed)
    with closing(sqlite3.connect(tmp_path / "calls.db")) as connection:
        assert connection.execute("SELECT count(*) FROM calls").fetchone() == (3,)
    assert [item["who"] for item in json.loads(request.body)["items"]] == ["1", "2", "3"]
    assert (letter["call"]["userId"], letter["status"]) == ("2", 422)
    python = environment / "bin" / "python"
    passed = run(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", folder / "tests")
    assert re.search(r"^\d\d+ passed in ", passed, re.MULTILINE)


CALL_TYPE, DESTINATION = README.read_text().split("## Add a destination in ten lines")


def _read_named_blocks(text: str) -> dict[str, str]:
    """The files in a part of plugins/README.md."""
    return dict(NAMED_BLOCK.findall(text))


def _write(folder: Path, files: dict[str, str]) -> Path:
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


def test_readme_of_plugins_works_word_for_word(install, dry_run, run, tmp_path):
    """The files of plugins/README.md make a call type that is listed and sent."""
    folder = _write(tmp_path / "acme", _read_named_blocks(CALL_TYPE))

    programs = install(folder)

    listed = run(programs / "target-pipelines", "--list-call-types")
    assert re.search(r"^ *delete_person +delete a person +userId +acme *$", listed, re.MULTILINE)
    (call,) = dry_run(programs, [schema("gone", "delete_person"), record("gone", userId=7)])
    assert _without_id(call) == {"type": "track", "userId": "7", "event": "User Deleted"}
    python = programs / "python"
    passed = run(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", folder)
    assert re.search(r"^\d\d+ passed in ", passed, re.MULTILINE)


def _read_files_with_destination() -> dict[str, str]:
    """The files of the README with its destination, and the end of pyproject.toml replaced."""
    files = _read_named_blocks(CALL_TYPE) | _read_named_blocks(DESTINATION)
    (end,) = re.findall(r"^```toml\n(.*?)^```$", DESTINATION, re.MULTILINE | re.DOTALL)
    beginning, _, _ = files["pyproject.toml"].partition("[project.entry-points")
    return files | {"pyproject.toml": beginning + end}


def test_destination_of_the_readme_works_word_for_word(install, run, tmp_path):
    """Rows arrive at the path of the profile, and its tests pass."""
    programs = install(_write(tmp_path / "acme", _read_files_with_destination()))
    rows = tmp_path / "rows.jsonl"
    rows.write_text(lines([schema("gone", "delete_person"), record("gone", userId=7)]))
    config = tmp_path / "target.json"

    with RecordingServer() as server:
        given = {"destination": "acme_events", "endpoint": server.url, "write_key": "k"}
        config.write_text(json.dumps(given))
        run(programs / "target-pipelines", "--config", config, "--input", rows)

    (request,) = server.received()
    (call,) = json.loads(request.body)["batch"]
    assert (request.path, call["event"]) == ("/v1/batch", "User Deleted")
    tests = tmp_path / "acme" / "test_acme_destination.py"
    passed = run(programs / "python", "-m", "pytest", "-q", "-p", "no:cacheprovider", tests)
    assert re.search(r"^\d\d+ passed in ", passed, re.MULTILINE)


def test_readme_shows_the_files_of_a_distribution():
    """A plugin needs its modules, their tests and pyproject.toml."""
    calls = ["acme_calls.py", "pyproject.toml", "test_acme_calls.py"]

    assert sorted(_read_named_blocks(CALL_TYPE)) == calls
    assert sorted(_read_named_blocks(DESTINATION)) == [
        "acme_destination.py",
        "test_acme_destination.py",
    ]


def test_readme_explains_every_attribute_of_a_profile():
    """The table has every attribute."""
    table = "".join(line for line in DESTINATION.splitlines() if line.startswith("| `"))

    assert [entry.name for entry in fields(HttpProfile) if f"`{entry.name}`" not in table] == []
