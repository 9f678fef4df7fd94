"""Reads the head of an HTTP response strictly: complete and unambiguous, or an error."""

from __future__ import annotations

import http.client
import string
from email.errors import FirstHeaderLineIsContinuationDefect, MissingHeaderBodySeparatorDefect
from http import HTTPStatus
from typing import Any

_HEX_DIGITS = frozenset(string.hexdigits.encode())
_MAX_SIZE_LINE = 65_536  # as for any line of a head in http.client
_DEFECTS = (FirstHeaderLineIsContinuationDefect, MissingHeaderBodySeparatorDefect)


class CompleteHeadResponse(http.client.HTTPResponse):
    """Rejects a response that ends before the blank line after its headers, or has no clear length.

    http.client treats the end of the connection as that line: a 200 cut off before its
    Content-Length would have an empty body and count as an acknowledgement. It ignores lengths that
    it does not understand, so that what follows the head would not be read as the body.
    """

    def begin(self) -> None:
        """Read status and headers. Raises http.client.HTTPException if they are malformed."""
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
        if problem := _find_framing_problem(self.headers):
            self.close()
            raise http.client.RemoteDisconnected(problem)

    def _read_status(self) -> tuple[str, int, str]:
        """Read the status line; every interim status but 101 counts as 100, which is skipped.

        RFC 9110, 15.2. http.client would return a 103 as the response, and the final response as
        that of the connection's next request.
        """
        version, status, reason = super()._read_status()  # type: ignore[misc]  # typeshed lacks it
        is_interim = 100 <= status <= 199 and status != HTTPStatus.SWITCHING_PROTOCOLS
        return version, HTTPStatus.CONTINUE if is_interim else status, reason

    def _read_next_chunk_size(self) -> int:
        """Read the size of the next chunk; http.client would accept a sign and underscores."""
        line = self.fp.readline(_MAX_SIZE_LINE + 1)
        digits = line.partition(b";")[0].strip()
        if not digits or not set(digits) <= _HEX_DIGITS or not line.endswith(b"\n"):
            self.close()
            raise http.client.IncompleteRead(b"")
        return int(digits, 16)


def _find_framing_problem(headers: http.client.HTTPMessage) -> str | None:
    """Why it is unclear where the body ends. Source: RFC 9112, 5.1 and 6.3."""
    broken = any(isinstance(defect, _DEFECTS) for defect in headers.defects)
    if broken or any(name != name.strip() for name in headers):
        return "a line of the response head is not a header"
    lengths = {value.strip() for value in headers.get_all("Content-Length", [])}
    if len(lengths) > 1 or not all(text.isascii() and text.isdigit() for text in lengths):
        return "the response has no valid Content-Length"
    encodings = [value.strip().lower() for value in headers.get_all("Transfer-Encoding", [])]
    if encodings and (encodings != ["chunked"] or lengths):
        return "the response has no valid Transfer-Encoding"
    return None


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
