"""Reads the events of the programs that the front door starts: their log and their progress."""

from __future__ import annotations

import json
import logging
import threading
from typing import IO, TYPE_CHECKING, Any

from program_kit.events import IS_OUTCOME
from program_kit.printable import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_JOIN_SECONDS = 2.0
"""How long to wait for the last lines of a program whose own children still hold its stderr."""
_LEVELS = logging.getLevelNamesMapping()


class EventReader:
    """Logs the messages of programs here, and passes on their progress; a thread for each program.

    What is no event, such as the traceback of a crash, is logged as it is.
    """

    def __init__(self, on_progress: Callable[[Mapping[str, Any]], None] | None = None) -> None:
        self._on_progress = on_progress
        self._threads: list[threading.Thread] = []

    @property
    def wants_progress(self) -> bool:
        """Whether somebody looks at the progress."""
        return self._on_progress is not None

    def read(self, program: str, stderr: IO[bytes]) -> None:
        """Read the stderr of a program until it ends, in a thread of its own."""
        thread = threading.Thread(
            target=self._read, args=(program, stderr), name=f"events of {program}", daemon=True
        )
        self._threads.append(thread)
        thread.start()

    def join(self) -> None:
        """Wait until all programs have closed their stderr, but not for long."""
        for thread in self._threads:
            thread.join(_JOIN_SECONDS)

    def _read(self, program: str, stderr: IO[bytes]) -> None:
        with stderr:
            for line in stderr:
                self._handle(program, line.decode(errors="backslashreplace").rstrip("\n"))

    def _handle(self, program: str, line: str) -> None:
        event = _parse(line)
        if "progress" in event and self._on_progress:
            self._on_progress(event["progress"])
        elif "message" in event:
            _log(event)
        elif "progress" not in event:
            logging.getLogger(program).warning("%s", printable(line), extra={"is_raw": True})


def _parse(line: str) -> Mapping[str, Any]:
    try:
        event = json.loads(line)
    except ValueError:
        return {}
    return event if isinstance(event, dict) else {}


def _log(event: Mapping[str, Any]) -> None:
    """Log a message of a program as if it came from here."""
    logger = logging.getLogger(str(event.get("logger")))
    level = _LEVELS.get(str(event.get("level")), logging.WARNING)
    if not logger.isEnabledFor(level):
        return
    record = logger.makeRecord(
        logger.name,
        level,
        "",
        0,
        "%s",
        (event["message"],),
        None,
        extra=dict(IS_OUTCOME) if event.get("is_outcome") else None,
    )
    record.created = float(event.get("time", record.created))
    logger.handle(record)
