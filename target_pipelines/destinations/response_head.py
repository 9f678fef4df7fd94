"""Reads the head of an HTTP response strictly: complete, or an error."""

from __future__ import annotations

import http.client
from http import HTTPStatus
from typing import Any


class CompleteHeadResponse(http.client.HTTPResponse):
    """Rejects a response that ends before the blank line after its headers.

    http.client treats the end of the connection as that line: a 200 cut off before its
    Content-Length would have an empty body and count as an acknowledgement.
    """

    def begin(self) -> None:
        """Read status and headers. Raises http.client.RemoteDisconnected if they are truncated."""
        if self.headers is not None:
            return
        lines = _LineReader(self.fp)
        self.fp = lines
        super().begin()
        if self.fp is lines:
            self.fp = lines.file
        if lines.last not in (b"\r\n", b"\n"):
            self.close()
            raise http.client.RemoteDisconnected("the response head is truncated")

    def _read_status(self) -> tuple[str, int, str]:
        """Read the status line; every interim status but 101 counts as 100, which is skipped.

        RFC 9110, 15.2. http.client would return a 103 as the response, and the final response as
        that of the connection's next request.
        """
        version, status, reason = super()._read_status()  # type: ignore[misc]  # typeshed lacks it
        is_interim = 100 <= status <= 199 and status != HTTPStatus.SWITCHING_PROTOCOLS
        return version, HTTPStatus.CONTINUE if is_interim else status, reason


class _LineReader:
    """A file that remembers the last line read."""

    def __init__(self, file: Any) -> None:
        self.file = file
        self.last = b""

    def readline(self, limit: int) -> bytes:
        self.last = self.file.readline(limit)
        return self.last

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)
