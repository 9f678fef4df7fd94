from __future__ import annotations

import os
import subprocess

import pytest

from target_pipelines.acknowledgements import dead_letters
from target_pipelines.acknowledgements.dead_letters import DeadLetter, DeadLetters, encode_lines
from target_pipelines.api.errors import DeliveryStopped
from tests.reliability import resources
from tests.reliability.resources import CASES, lines_of


@pytest.mark.parametrize("name", CASES)
def test_exhausted_resource_is_reported_and_loses_nothing(tmp_path, name):
    """The run ends with the documented code and message, and prints no STATE too early."""
    assert not CASES[name](tmp_path).verdict.violations


def test_wrong_report_of_a_full_device_is_noticed(tmp_path, code):
    """A program that does not report a full device, or prints a STATE, fails."""
    run = subprocess.CompletedProcess([], 4, "{}", "/dev/full: No space left on device")
    code.replace(resources, resources._run, lambda *_, **__: run)
    assert CASES["full device, output_path"](tmp_path).verdict.premature_states

    run.stderr = ""
    with pytest.raises(AssertionError):
        CASES["full device, output_path"](tmp_path)


def _dead_letter(reason: str) -> bytes:
    letter = DeadLetter(stream="s", call_type="track", destination="file", reason=reason)
    return encode_lines([letter])[0]


def test_deleted_file_is_created_again(tmp_path):
    """If the file is deleted during a run, the next dead letter creates it again."""
    path = tmp_path / "dead_letters.jsonl"
    file = DeadLetters(path)
    file.append([_dead_letter("first")])
    path.unlink()

    file.append([_dead_letter("second")])

    assert [line["reason"].split()[0] for line in lines_of(path)] == ["second"]


def test_file_deleted_while_it_is_written_stops_the_run(tmp_path, code):
    """No STATE may cover a dead letter whose file is gone before it is settled."""
    path = tmp_path / "dead_letters.jsonl"
    code.override(dead_letters, os, fsync=lambda _file: path.unlink())

    with pytest.raises(DeliveryStopped, match="deleted during the write"):
        DeadLetters(path).append([_dead_letter("lost")])
