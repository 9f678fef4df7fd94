"""Writes Singer messages to stdout, whole lines only."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from singer_sdk.singerlib.encoding import SimpleSingerWriter

from tap_mssql_query.encoding.singer_json import dump_message
from tap_mssql_query.errors import Interrupted, OutputClosed, OutputFailed

if TYPE_CHECKING:
    import pyarrow as pa
    from singer_sdk.singerlib import Message


class LineWriter(SimpleSingerWriter):
    """Writes whole lines; a signal takes effect when the current line has been written.

    A signal handler that raised in the middle of a line would leave a truncated message.
    """

    def __init__(self) -> None:
        self._is_writing = False
        self._signal: int | None = None

    def write_message(self, message: Message) -> None:
        """Write a message of the SDK."""
        self.write_lines(dump_message(message.to_dict()))

    def write_lines(self, lines: bytes | pa.Buffer) -> None:
        """Write encoded messages. Raises OutputClosed, or Interrupted after a signal."""
        self._is_writing = True
        try:
            sys.stdout.buffer.write(lines)
            sys.stdout.buffer.flush()
        except BrokenPipeError as error:
            raise OutputClosed("stdout was closed") from error
        except OSError as error:
            raise OutputFailed(
                f"stdout cannot be written ({error.strerror}), so the run ended. Free disk space, "
                "and run it again."
            ) from error
        finally:
            self._is_writing = False
        if self._signal is not None:
            raise Interrupted(self._signal)

    def interrupt(self, signal_number: int) -> None:
        """Raise Interrupted, now or after the line that is being written.

        Only once: a second one would interrupt the end of the run, such as its report.
        """
        if self._signal is not None:
            return
        self._signal = signal_number
        if not self._is_writing:
            raise Interrupted(signal_number)
