"""The head of an HTTP answer: whole, or an error."""

from __future__ import annotations

import http.client
from http import HTTPStatus
from typing import Any


class WholeHeadResponse(http.client.HTTPResponse):
    """Refuses an answer that breaks off before the blank line after its headers.

    http.client takes the end of the connection for that line. A 200 without its Content-Length
    would then be one with an empty body, and pass for an acknowledgement.
    """

    def begin(self) -> None:
        """Read status and headers. Raises http.client.RemoteDisconnected if they break off."""
        if self.headers is not None:
            return
        lines = _Lines(self.fp)
        self.fp = lines
        super().begin()
        if self.fp is lines:
            self.fp = lines.file
        if lines.last not in (b"\r\n", b"\n"):
            self.close()
            raise http.client.RemoteDisconnected("the answer's head breaks off")

    def _read_status(self) -> tuple[str, int, str]:
        """The status line; every one below 200 but 101 counts as a 100, which is read over.

        RFC 9110, 15.2. http.client would take a 103 for the answer, and the answer that follows
        for that of the connection's next request.
        """
        version, status, reason = super()._read_status()  # type: ignore[misc]  # typeshed lacks it
        is_interim = 100 <= status <= 199 and status != HTTPStatus.SWITCHING_PROTOCOLS
        return version, HTTPStatus.CONTINUE if is_interim else status, reason


class _Lines:
    """A file that remembers the last line that was read."""

    def __init__(self, file: Any) -> None:
        self.file = file
        self.last = b""

    def readline(self, limit: int) -> bytes:
        self.last = self.file.readline(limit)
        return self.last

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)
