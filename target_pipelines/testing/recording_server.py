"""A server on the loopback interface that records requests and gives scripted responses."""

from __future__ import annotations

import gzip
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable, Mapping, Sequence

_POLL_SECONDS = 0.02
_DRIP_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """A request that a server received.

    Attributes:
        path: with the query string.
        body: its bytes, or a digest of them: equal for equal requests.
        content: the uncompressed body if the server accepted it; else empty.
    """

    path: str
    body: bytes
    content: bytes


class Server(Protocol):
    """A server that a destination can be tested against."""

    @property
    def url(self) -> str:
        """The value for the setting `endpoint`."""

    def script(self, behaviours: Iterable[Mapping[str, Any]]) -> None:
        """Respond to each of the next requests with one of these behaviours, later ones as usual.

        A behaviour has a `status`, `headers` and a `body`; `drop: "before"` closes the connection
        instead; `delay_seconds` delays the response.
        """

    def received(self) -> Sequence[ReceivedRequest]:
        """All requests so far, in order of arrival."""


class RecordingServer:
    """A `Server` that responds 200 to every request; a context manager.

    With a `context` it speaks TLS. Further behaviours: `raw`, the bytes of a response, after which
    the connection ends; `drip`, bytes that are sent again and again, slowly.
    """

    def __init__(self, port: int = 0, context: ssl.SSLContext | None = None) -> None:
        self._server = _HttpServer(("127.0.0.1", port), _Handler)
        self._server.context = context
        scheme = "https" if context else "http"
        self.url = f"{scheme}://127.0.0.1:{self._server.server_address[1]}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(_POLL_SECONDS,))

    def script(self, behaviours: Iterable[Mapping[str, Any]]) -> None:
        """Respond to the next requests with these behaviours."""
        with self._server.lock:
            self._server.behaviours = list(behaviours)

    def received(self) -> Sequence[ReceivedRequest]:
        """All requests so far."""
        with self._server.lock:
            return list(self._server.received)

    def __enter__(self) -> RecordingServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stopping.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # a client may keep its connection

    def __init__(self, *arguments: Any) -> None:
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.behaviours: list[Mapping[str, Any]] = []
        self.received: list[ReceivedRequest] = []
        self.context: ssl.SSLContext | None = None
        super().__init__(*arguments)

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Handle a connection, in its own thread."""
        if self.context is None:
            super().finish_request(request, client_address)
            return
        with self.context.wrap_socket(request, server_side=True) as encrypted:
            super().finish_request(encrypted, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore errors: the checks make clients disconnect."""


class _Handler(BaseHTTPRequestHandler):
    server: _HttpServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body in one packet

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Log nothing."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        behaviour = self._take(body)
        if delay := behaviour.get("delay_seconds"):
            self.server.stopping.wait(delay)
        if "drop" in behaviour:
            self.close_connection = True
        elif "raw" in behaviour:
            self.wfile.write(behaviour["raw"])
            self.close_connection = True
        elif "drip" in behaviour:
            while not self.server.stopping.wait(_DRIP_SECONDS):
                self.wfile.write(behaviour["drip"])
                self.wfile.flush()
        else:
            self._respond(behaviour)

    def _take(self, body: bytes) -> Mapping[str, Any]:
        is_compressed = self.headers.get("Content-Encoding") == "gzip"
        with self.server.lock:
            behaviours = self.server.behaviours
            behaviour = behaviours.pop(0) if behaviours else {}
            content = b"" if behaviour else (gzip.decompress(body) if is_compressed else body)
            self.server.received.append(ReceivedRequest(self.path, body, content))
        return behaviour

    def _respond(self, behaviour: Mapping[str, Any]) -> None:
        body = behaviour.get("body", "").encode()
        self.send_response_only(behaviour.get("status", 200))
        for name, value in behaviour.get("headers", {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_PUT = do_POST  # noqa: N815 - to record redirects that were followed
