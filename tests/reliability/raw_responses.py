"""An HTTP server that responds to each request with given bytes and closes the connection."""

from __future__ import annotations

import contextlib
import re
import socketserver
import threading
from typing import TYPE_CHECKING

from target_pipelines.api.settings import TargetSettings
from target_pipelines.destinations.customerio import PROFILE
from target_pipelines.destinations.http_sender import HttpSender
from target_pipelines.testing.destination_cases import CALLS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from target_pipelines.api.outcomes import Outcome
    from target_pipelines.destinations.http import HttpProfile

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


class RawResponses(socketserver.ThreadingTCPServer):
    """Responds with `response` to every request.

    Attributes:
        response: the bytes of head and body.
        url: where it listens.
    """

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.response = b""
        self.url = f"http://127.0.0.1:{self.server_address[1]}/v1"

    def classify(self, response: bytes, profile: HttpProfile = PROFILE) -> Outcome:
        """The outcome of a response for a sender with a connection of its own."""
        self.response = response
        settings = TargetSettings(
            destination=profile.name, endpoint=self.url, write_key="k", timeout_seconds=60
        )
        sender = HttpSender(profile, self.url, settings)
        with contextlib.closing(sender):
            return sender.send(CALLS[:1])


class _Handler(socketserver.StreamRequestHandler):
    server: RawResponses

    def handle(self) -> None:
        """Read one request, respond, and close the connection."""
        head = b"".join(iter(self.rfile.readline, b"\r\n"))
        found = _LENGTH.search(head)
        self.rfile.read(int(found[1]) if found else 0)
        with contextlib.suppress(OSError):
            self.wfile.write(self.server.response)


@contextlib.contextmanager
def raw_responses() -> Iterator[RawResponses]:
    """The server, listening."""
    with RawResponses() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
