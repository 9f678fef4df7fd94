"""Events: the log and the progress of a program, as lines of JSON on stderr for its parent.

A parent that shows a run asks for them with `EVENTS_VARIABLE`. Each line is one object, either of
the log (`time` in unix seconds, `level`, `logger`, `message`, `is_outcome` if the program's report
says the same) or of the progress (`progress`).
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

EVENTS_VARIABLE = "MSSQL_REVERSE_ETL_EVENTS"
LOG, PROGRESS = "log", "progress"
"""The values of the variable: events of the log alone, or of the progress, too."""
IS_OUTCOME: Mapping[str, Any] = {"is_outcome": True}
"""`extra` of a message that is in the program's report as well."""
PROGRESS_SECONDS = 0.25
_SDK = "singer_sdk"


def are_wanted() -> bool:
    """Whether the parent reads events, and not people the log."""
    return os.environ.get(EVENTS_VARIABLE) in (LOG, PROGRESS)


def is_progress_wanted() -> bool:
    """Whether the parent shows the progress."""
    return os.environ.get(EVENTS_VARIABLE) == PROGRESS


def send_log() -> None:
    """Replace the handlers of the log by one that writes events; the level stays."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_EventFormatter())
    handler.addFilter(is_of_interest)
    logging.getLogger().handlers[:] = [handler]


def is_of_interest(record: logging.LogRecord) -> bool:
    """Not what the SDK says of its ordinary work."""
    return record.levelno > logging.INFO or _SDK not in Path(record.pathname).parts


class _EventFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        message = record.getMessage()
        if record.exc_info:
            message += "\n" + self.formatException(record.exc_info)
        event = {
            "time": record.created,
            "level": record.levelname,
            "logger": record.name,
            "message": message,
        }
        if getattr(record, "is_outcome", False):
            event["is_outcome"] = True
        return json.dumps(event)


def send_progress(progress: Mapping[str, Any]) -> None:
    """Write one event of the progress; nothing if stderr is gone."""
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(json.dumps({"progress": progress}) + "\n")
        sys.stderr.flush()


@contextlib.contextmanager
def sending_progress(measure: Callable[[], Mapping[str, Any]]) -> Iterator[None]:
    """Send the progress a few times a second during the block, if it is wanted."""
    if not is_progress_wanted():
        yield
        return
    ended = threading.Event()

    def send() -> None:
        while not ended.wait(PROGRESS_SECONDS):
            send_progress(measure())

    thread = threading.Thread(target=send, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        send_progress(measure())
