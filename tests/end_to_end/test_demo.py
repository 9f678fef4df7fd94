"""The demo, which is the first thing that a newcomer sees."""

from __future__ import annotations

import json
import stat

import pytest

from sandbox.demo import run_demo
from sandbox.shop import SYNCS
from sandbox.terminal_picture import steady_part
from tests.packaging.conftest import ROOT

FILES = {"calls.jsonl", "reverse_etl.yml", ".reverse_etl", "commands.sh", "terminal.svg"}


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The folder of a demo that has run."""
    folder = tmp_path_factory.mktemp("demo") / "output"
    assert run_demo(folder) == 0
    return folder


def _calls(folder) -> list[str]:
    return sorted((folder / "calls.jsonl").read_text().splitlines())


def test_demo_leaves_its_results(demo):
    """The project, its state and dead letters, the calls and the command lines are there."""
    assert {path.name for path in demo.iterdir()} >= FILES
    letters = demo / ".reverse_etl" / "dead_letters.jsonl"
    assert stat.S_IMODE(letters.stat().st_mode) == 0o600


def test_state_has_a_bookmark_for_each_sync(demo):
    """After the second run every bookmark has the same time."""
    bookmarks = json.loads((demo / ".reverse_etl" / "state.json").read_text())["bookmarks"]

    assert bookmarks.keys() == {sync["name"] for sync in SYNCS}
    assert len({bookmark["last_sync_time"] for bookmark in bookmarks.values()}) == 1


def test_every_call_was_sent_once(demo):
    """Over both runs, no messageId occurs twice."""
    ids = [json.loads(call)["messageId"] for call in _calls(demo)]

    assert len(ids) == len(set(ids)) > 5000


def test_command_lines_of_the_demo_are_kept(demo):
    """commands.sh has them as a user would type them."""
    commands = (demo / "commands.sh").read_text()

    assert "\nmssql-reverse-etl run\n" in commands
    assert "\nmssql-reverse-etl status\n" in commands


def test_picture_in_the_readme_shows_what_the_demo_prints(demo):
    """Durations aside; `make demo` draws it anew."""
    committed = (ROOT / "docs" / "terminal.svg").read_text()

    assert "docs/terminal.svg" in (ROOT / "README.md").read_text()
    assert steady_part((demo / "terminal.svg").read_text()) == steady_part(committed)


def test_second_demo_makes_the_same_calls(demo):
    """Running the demo again makes the same calls, messageIds included."""
    before = _calls(demo)

    assert run_demo(demo) == 0
    assert _calls(demo) == before
