from __future__ import annotations

import json

import pytest

from tests.target.conftest import record, schema, state


@pytest.mark.parametrize(
    "left", [b'{"a":1}\n{"type":"iden', b'{"type":"iden', b'{"a":1}\n', b""], ids=str
)
@pytest.mark.parametrize("processes", [1, 2])
def test_call_after_a_partial_line_is_complete(run_target, tmp_path, left, processes):
    """A partial line, as after a kill or a full disk, does not corrupt the next call."""
    path = tmp_path / "calls.jsonl"
    path.write_bytes(left)
    config = {"destination": "file", "output_path": str(path), "processes": processes}

    run = run_target(config, [schema("s", "identify"), record("s", userId=1), state(1)])

    lines = path.read_bytes().splitlines()
    assert run.exit_code == 0, run.log
    assert json.loads(lines[-1])["userId"] == "1"
    assert lines[:-1] == left.splitlines()
