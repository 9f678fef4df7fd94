"""Single runs of one program, as a process, for tests that break what is around it."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

BIN = Path(sys.executable).parent
TIMEOUT_SECONDS = 100


@dataclass(frozen=True, slots=True)
class Done:
    """How a program ended: its exit code and what it printed."""

    exit_code: int
    output: str
    log: str

    @property
    def messages(self) -> list[Any]:
        """The lines of stdout, each as JSON: Singer messages or states."""
        return [json.loads(line) for line in self.output.splitlines()]


def run_program(
    name: str, folder: Path, config: Mapping[str, Any], *arguments: str, lines: str = ""
) -> Done:
    """Run one of the programs in a folder, to its end."""
    path = folder / f"{name}.json"
    path.write_text(json.dumps(config))
    done = subprocess.run(
        [BIN / name, "--config", path, *arguments],
        cwd=folder,
        input=lines,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def run_target(
    folder: Path, config: Mapping[str, Any], messages: Sequence[Any], *arguments: str
) -> Done:
    """Run the target over messages; texts are lines as they are."""
    lines = (m if isinstance(m, str) else json.dumps(m) for m in messages)
    text = "".join(f"{line}\n" for line in lines)
    return run_program("target-pipelines", folder, config, *arguments, lines=text)


def run_tap(folder: Path, config: Mapping[str, Any], *arguments: str, state: object = None) -> Done:
    """Run the tap, from a state if there is one."""
    if state is not None:
        (folder / "state.json").write_text(json.dumps(state))
        arguments = (*arguments, "--state", "state.json")
    return run_program("tap-mssql-query", folder, config, *arguments)
