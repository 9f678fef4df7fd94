"""The server: accepts connections and runs a session for each."""

from __future__ import annotations

import selectors
import socket
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.sql_server.faults import Faults
from sandbox.sql_server.sessions.request_handler import Services
from sandbox.sql_server.sessions.session import Session, SessionInfo
from sandbox.sql_server.transport.channel import Channel
from sandbox.sql_server.transport.tls import server_context, write_certificate

if TYPE_CHECKING:
    from types import TracebackType

    from sandbox.sql_server.canned import CannedKey, CannedResult
    from sandbox.sql_server.login.prelogin import EncryptionMode
    from sandbox.sql_server.results import Engine

_BACKLOG = 128
_FIRST_SPID = 51  # SQL Server reserves the lower numbers


class SqlServer:
    """A TDS server in front of an engine; a context manager.

    Attributes:
        port: the port it listens on once started; `port=0` takes a free one.
        certificate_path: PEM file of the certificate, for clients that verify it.
        faults: the faults to inject.
        canned: pre-encoded results, by query text or predicate.
    """

    def __init__(
        self,
        engine: Engine,
        host: str = "127.0.0.1",
        port: int = 0,
        encryption: EncryptionMode = "optional",
    ) -> None:
        self.host = host
        self.port = port
        self.faults = Faults()
        self.canned: dict[CannedKey, CannedResult] = {}
        self._folder = tempfile.TemporaryDirectory(prefix="sandbox-sql-server-")
        self.certificate_path = write_certificate(Path(self._folder.name))
        self._stopping = threading.Event()
        self._services = Services(
            engine=engine,
            encryption=encryption,
            tls_context=server_context(self.certificate_path),
            faults=self.faults,
            canned=self.canned,
            stopping=self._stopping,
        )
        self._lock = threading.Lock()
        self._sessions: dict[Session, threading.Thread] = {}
        self._next_spid = _FIRST_SPID
        self._thread = threading.Thread(target=self._accept, name="tds-accept", daemon=True)

    def start(self) -> None:
        """Listen; clients may connect as soon as this returns.

        Raises:
            OSError: the port is taken.
        """
        self._listener = socket.create_server(
            (self.host, self.port), backlog=_BACKLOG, reuse_port=False
        )
        self.port = self._listener.getsockname()[1]
        self._wake, self._woken = socket.socketpair()
        self._thread.start()

    def stop(self) -> None:
        """End every session, join its threads, and free the port."""
        self._stopping.set()
        self._wake.close()
        self._thread.join()
        self._listener.close()
        self._woken.close()
        with self._lock:
            running = dict(self._sessions)
        for session in running:
            session.stop()
        for thread in running.values():
            thread.join()
        self._folder.cleanup()

    def __enter__(self) -> SqlServer:
        try:
            self.start()
        except OSError:
            self._folder.cleanup()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def sessions(self) -> tuple[SessionInfo, ...]:
        """The sessions that are logged in."""
        with self._lock:
            running = list(self._sessions)
        return tuple(info for session in running if (info := session.info) is not None)

    def _accept(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            selector.register(self._woken, selectors.EVENT_READ)
            while not self._stopping.is_set():
                for key, _ in selector.select():
                    if key.fileobj is self._listener and not self._stopping.is_set():
                        self._open_session(self._listener.accept()[0])

    def _open_session(self, connected: socket.socket) -> None:
        session = Session(Channel(connected), self._services, self._next_spid & 0xFFFF)
        thread = threading.Thread(
            target=self._run, args=(session,), name=f"tds-{self._next_spid}", daemon=True
        )
        self._next_spid += 1
        with self._lock:
            self._sessions[session] = thread
        thread.start()

    def _run(self, session: Session) -> None:
        try:
            session.run()
        finally:
            with self._lock:
                self._sessions.pop(session, None)
