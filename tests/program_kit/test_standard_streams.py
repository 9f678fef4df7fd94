"""Programs whose standard streams are closed, full or not UTF-8 say so, or do their work."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.target.conftest import TARGET, lines, record, schema, state

if TYPE_CHECKING:
    from pathlib import Path

CASES = {
    "stdin": ("<&-", 0),
    "stderr": ("2>&-", 0),
    "full stderr": ("2>/dev/full", 0),
    "stdout": (">&-", 141),
    "all": ("2>&- >&-", 141),
    "full stdout": (">/dev/full", 4),
    "a table into a full disk": ("--list-call-types >/dev/full", 74),
    "unknown level": ("--config ENV", 2),
}


@pytest.mark.parametrize(("arguments", "exit_code"), CASES.values(), ids=list(CASES))
def test_program_without_its_streams(arguments: str, exit_code: int, tmp_path: Path) -> None:
    """No traceback; the calls are delivered, and a STATE that cannot be printed is a failure."""
    (tmp_path / "target.json").write_text(json.dumps({"destination": "file"}))
    (tmp_path / "in").write_text(lines([schema("s", "identify"), record("s", userId=1), state(1)]))
    source = "" if "<" in arguments else "<in"
    done = subprocess.run(
        ["bash", "-c", f"{TARGET} --config target.json {arguments} {source}"],
        cwd=tmp_path,
        env={**os.environ, **({"LOGLEVEL": "verbose"} if "ENV" in arguments else {})},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == exit_code, done.stderr
    assert "Traceback" not in done.stderr
