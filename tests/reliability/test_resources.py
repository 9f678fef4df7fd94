from __future__ import annotations

import os
import subprocess

import pytest

from target_pipelines.acknowledgements import dead_letters
from target_pipelines.acknowledgements.dead_letters import DeadLetter, DeadLetters
from target_pipelines.api.errors import DeliveryStopped
from tests.reliability import resources
from tests.reliability.resources import CASES, lines_of


@pytest.mark.parametrize("name", CASES)
def test_what_runs_out_is_said_and_loses_nothing(tmp_path, name):
    """The run ends with the documented code, names the path, shows no row; no STATE is ahead."""
    assert not CASES[name](tmp_path).verdict.violations


def test_success_that_was_none_is_noticed(tmp_path, code):
    """A program that does not report a full device, or prints a STATE, fails."""
    run = subprocess.CompletedProcess([], 4, "{}", "/dev/full: No space left on device")
    code.replace(resources, resources._run, lambda *_, **__: run)
    assert CASES["full device, output_path"](tmp_path).verdict.premature_states

    run.stderr = ""
    with pytest.raises(AssertionError):
        CASES["full device, output_path"](tmp_path)


def _letter(reason: str) -> DeadLetter:
    return DeadLetter(stream="s", call_type="track", destination="file", reason=reason)


def test_letters_after_a_deletion_are_in_a_new_file(tmp_path):
    """A file that is deleted in mid run is made again by the next letter."""
    path = tmp_path / "letters.jsonl"
    letters = DeadLetters(path)
    letters.add([_letter("first")])
    path.unlink()

    letters.add([_letter("second")])

    assert [line["reason"] for line in lines_of(path)] == ["second"]


def test_letter_that_is_deleted_while_it_is_written_stops_the_run(tmp_path, code):
    """No STATE may cover a letter whose file is gone before it is settled."""
    path = tmp_path / "letters.jsonl"
    code.override(dead_letters, os, fsync=lambda _file: path.unlink())

    with pytest.raises(DeliveryStopped, match="deleted in the meantime"):
        DeadLetters(path).add([_letter("lost")])
