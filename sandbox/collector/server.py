"""The collector's HTTP server: its port, its connections, and a clean stop."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Any

from sandbox.collector.behaviour import Behaviour, Script, parse_behaviours
from sandbox.collector.call_log import Call, CallLog, Request
from sandbox.collector.handler import Handler, HandlerServer
from sandbox.collector.vendors import VENDORS, Vendor

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import TracebackType

DEFAULT_WRITE_KEY = "sandbox-key"
_POLL_SECONDS = 0.02


class _Server(HandlerServer):
    """Tracks its connections, so that stopping can end those that are kept alive."""

    daemon_threads = False  # so that server_close() joins the threads
    request_queue_size = 128

    def __init__(
        self, address: tuple[str, int], log: CallLog, script: Script, vendor: Vendor, key: str
    ) -> None:
        self.log = log
        self.script = script
        self.vendor = vendor
        self.write_key = key
        self.stopping = threading.Event()
        self._connections: set[socket.socket] = set()
        self._connections_lock = threading.Lock()
        super().__init__(address, Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Track the connection, then serve it in its thread."""
        with self._connections_lock:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Stop tracking the connection and close it."""
        with self._connections_lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing: tests disconnect within requests on purpose."""

    def end_connections(self) -> None:
        """Wake every thread that is waiting for its client."""
        self.stopping.set()
        with self._connections_lock:
            for connection in self._connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)


class Collector:
    """A vendor's API on 127.0.0.1; a context manager.

    Attributes:
        port: the port it listens on; `port=0` takes a free one.
        url: base URL for a target's `endpoint`.
    """

    def __init__(
        self, port: int = 0, write_key: str = DEFAULT_WRITE_KEY, vendor: str = "customerio"
    ) -> None:
        self._log = CallLog()
        self._script = Script()
        api = VENDORS[vendor]
        self._server = _Server(("127.0.0.1", port), self._log, self._script, api, write_key)
        self.port: int = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}{api.base_path}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_POLL_SECONDS,), name="collector"
        )

    @property
    def calls(self) -> list[Call]:
        """All calls so far, in commit order."""
        return self._log.calls

    @property
    def requests(self) -> list[Request]:
        """All finished requests, in order of arrival."""
        return self._log.requests

    def script(self, behaviours: Iterable[Behaviour | Mapping[str, Any]]) -> None:
        """Replace all scripted behaviours."""
        self._script.replace(
            entry if isinstance(entry, Behaviour) else parse_behaviours([entry])[0]
            for entry in behaviours
        )

    def forget(self) -> None:
        """Clear calls and requests."""
        self._log.forget()

    def wait_for_calls(self, count: int, timeout_seconds: float = 10.0) -> list[Call]:
        """All calls, once there are `count`. Raises TimeoutError."""
        return self._log.wait_for_calls(count, timeout_seconds)

    def wait_for_requests(self, count: int, timeout_seconds: float = 10.0) -> list[Request]:
        """All finished requests, once there are `count`. Raises TimeoutError."""
        return self._log.wait_for_requests(count, timeout_seconds)

    def start(self) -> None:
        """Serve; clients may connect as soon as this returns."""
        self._thread.start()

    def stop(self) -> None:
        """Close every connection, join the threads, free the port."""
        self._server.shutdown()
        self._thread.join()
        self._server.end_connections()
        self._server.server_close()

    def __enter__(self) -> Collector:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
