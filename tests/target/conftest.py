"""The target as a program, and a collector for it to deliver to."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.collector import DEFAULT_WRITE_KEY, Collector
from tests.forked_program import ForkedProgram

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

TARGET = Path(sys.executable).with_name("target-pipelines")


@dataclass(frozen=True)
class TargetRun:
    """The results of one run: exit code, stdout, stderr and dead letters."""

    exit_code: int
    output: str
    log: str
    dead_letters: list[dict[str, Any]]

    @property
    def states(self) -> list[Any]:
        """The printed states, in order."""
        return [json.loads(line) for line in self.output.splitlines()]


def schema(stream: str, call_type: str | None, **keywords: Any) -> dict[str, Any]:
    """A SCHEMA message."""
    keywords = {"x-last-sync-time": 0, **keywords}
    if call_type:
        keywords["x-call-type"] = call_type
    described = {"type": "object", "properties": {}, **keywords}
    return {"type": "SCHEMA", "stream": stream, "schema": described, "key_properties": []}


def record(stream: str, **columns: Any) -> dict[str, Any]:
    """A RECORD message."""
    return {"type": "RECORD", "stream": stream, "record": columns}


def state(number: int) -> dict[str, Any]:
    """A STATE message."""
    return {"type": "STATE", "value": {"bookmarks": {"s": {"last_sync_time": number}}}}


def lines(messages: Sequence[dict[str, Any] | str | bytes]) -> str:
    """The program's input: messages as JSON lines, strings and bytes unchanged."""
    texts = (m.decode(errors="surrogateescape") if isinstance(m, bytes) else m for m in messages)
    return "".join(m if isinstance(m, str) else json.dumps(m) + "\n" for m in texts)


@pytest.fixture
def collector() -> Iterator[Collector]:
    """The Data Pipelines API on loopback."""
    with Collector() as collector:
        yield collector


@pytest.fixture
def config(collector: Collector, tmp_path: Path) -> dict[str, Any]:
    """Settings that deliver to the collector."""
    return {
        "destination": "customerio",
        "endpoint": collector.url,
        "write_key": DEFAULT_WRITE_KEY,
        "dead_letter_path": str(tmp_path / "dead_letters.jsonl"),
    }


@pytest.fixture
def start_target(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts the program with a configuration and arguments; kills it after the test."""
    started = []

    def start(
        config: dict[str, Any], *arguments: str, environment: dict[str, str] | None = None
    ) -> subprocess.Popen[str]:
        path = tmp_path / "target.json"
        path.write_text(json.dumps(config))
        process = subprocess.Popen(
            [str(TARGET), "--config", str(path), *arguments],
            cwd=tmp_path,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="surrogateescape",
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            with contextlib.suppress(BrokenPipeError):
                assert pipe is not None
                pipe.close()


@pytest.fixture(scope="session")
def forked_target() -> Iterator[ForkedProgram]:
    """The program, loaded once."""
    module = "target_pipelines.command_line"
    with ForkedProgram(TARGET, "target_pipelines", module) as program:
        yield program


@pytest.fixture
def run_target(forked_target: ForkedProgram, tmp_path: Path) -> Callable[..., TargetRun]:
    """Runs the program over messages and waits for its end."""

    def run(
        config: dict[str, Any],
        messages: Sequence[dict[str, Any] | str | bytes],
        *arguments: str,
        environment: dict[str, str] | None = None,
    ) -> TargetRun:
        (tmp_path / "target.json").write_text(json.dumps(config))
        done = forked_target.run(
            ["--config", str(tmp_path / "target.json"), *arguments],
            folder=tmp_path,
            text=lines(messages).encode(errors="surrogateescape"),
            timeout=60,
            environment=environment,
        )
        path = tmp_path / "dead_letters.jsonl"
        dead_letters = path.read_text().splitlines() if path.exists() else []
        return TargetRun(
            done.returncode,
            done.stdout.decode(),
            done.stderr.decode(),
            [json.loads(line) for line in dead_letters],
        )

    return run
