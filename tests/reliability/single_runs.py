"""Single runs of one program, for tests that break its surroundings."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tests.reliability.programs import ForkServer

TIMEOUT_SECONDS = 100


@dataclass(frozen=True, slots=True)
class ProgramResult:
    """The exit code of a program and what it printed."""

    exit_code: int
    output: str
    log: str

    @property
    def messages(self) -> list[Any]:
        """The lines of stdout, each as JSON: Singer messages or states."""
        return [json.loads(line) for line in self.output.splitlines()]

    def of_type(self, message_type: str) -> list[dict[str, Any]]:
        """The Singer messages of one type, in order."""
        return [message for message in self.messages if message["type"] == message_type]


@dataclass(frozen=True, slots=True)
class Programs:
    """Both programs, started by the fork server in one folder."""

    fork_server: ForkServer
    folder: Path

    def run_target(
        self, config: Mapping[str, Any], messages: Sequence[Any], *arguments: str
    ) -> ProgramResult:
        """Run the target over messages; a text is a line as it is."""
        lines = (m if isinstance(m, str) else json.dumps(m) for m in messages)
        text = "".join(f"{line}\n" for line in lines)
        return self.run("target", config, *arguments, lines=text.encode())

    def run_tap(
        self, config: Mapping[str, Any], *arguments: str, state: object = None
    ) -> ProgramResult:
        """Run the tap, from a state if one is given; a text is the whole state file."""
        if state is not None:
            text = state if isinstance(state, str) else json.dumps(state)
            (self.folder / "state.json").write_text(text)
            arguments = (*arguments, "--state", "state.json")
        return self.run("tap", config, *arguments)

    def run(
        self,
        name: Literal["tap", "target"],
        config: Mapping[str, Any] | str,
        *arguments: str,
        lines: bytes = b"",
    ) -> ProgramResult:
        """Run a program until it ends; a text is the whole configuration file."""
        text = config if isinstance(config, str) else json.dumps(config)
        (self.folder / f"{name}.json").write_text(text)
        paths = [self.folder / f"{name}.{stream}" for stream in ("in", "out", "log")]
        paths[0].write_bytes(lines)
        modes = (os.O_RDONLY, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        files = [os.open(path, modes[index > 0], 0o600) for index, path in enumerate(paths)]
        try:
            program = self.fork_server.start(
                name,
                ["--config", f"{name}.json", *arguments],
                folder=self.folder,
                files=(files[0], files[1], files[2]),
            )
        finally:
            for file in files:
                os.close(file)
        exit_code = program.wait(TIMEOUT_SECONDS)
        program.kill()
        assert exit_code is not None, f"{name} hangs: {paths[2].read_text()}"
        return ProgramResult(exit_code, paths[1].read_text(), paths[2].read_text())
