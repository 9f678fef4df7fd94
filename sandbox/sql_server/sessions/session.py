"""One client's session: its login, its two threads, and its end.

This thread responds; the queue's thread reads, so that ATTENTION is noticed during a response.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sandbox.sql_server.faults import Answer, HangUp, RefuseLogin, StallAfterAccept
from sandbox.sql_server.login.handshake import login_error_response, login_response, receive_login
from sandbox.sql_server.results import SqlError
from sandbox.sql_server.sessions.request_handler import RequestHandler
from sandbox.sql_server.sessions.request_queue import RequestQueue
from sandbox.sql_server.sessions.response import Interrupted, Response
from sandbox.sql_server.transport.channel import ConnectionEnded
from sandbox.sql_server.transport.packet_writer import PacketWriter
from sandbox.sql_server.transport.packets import Message, PacketType, ProtocolError, frame_message

if TYPE_CHECKING:
    from sandbox.sql_server.login.login7 import Login
    from sandbox.sql_server.sessions.request_handler import Services
    from sandbox.sql_server.transport.channel import Channel


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """A client's identity from LOGIN7, and its current database."""

    program: str
    user: str
    database: str
    host: str


class Session:
    """A session; `number` is its SPID."""

    def __init__(self, channel: Channel, services: Services, number: int) -> None:
        self._channel = channel
        self._services = services
        self._number = number
        self._login: Login | None = None
        self._handler: RequestHandler | None = None

    @property
    def info(self) -> SessionInfo | None:
        """The client's identity; None before login."""
        login, handler = self._login, self._handler
        if login is None or handler is None:
            return None
        return SessionInfo(login.program, login.user, handler.database, login.host)

    def run(self) -> None:
        """Serve the client until either side ends the connection."""
        try:
            self._log_in_and_serve()
        except (ConnectionEnded, HangUp, ProtocolError, ssl.SSLError):
            pass  # no one is left to respond to
        finally:
            self._channel.close()

    def stop(self) -> None:
        """End the session from another thread."""
        self._channel.shutdown()

    def _log_in_and_serve(self) -> None:
        if stall := self._services.faults.take(StallAfterAccept):
            self._services.stopping.wait(stall.seconds)
        login = receive_login(self._channel, self._services.encryption, self._services.tls_context)
        try:
            handler = self._open(login)
        except SqlError as problem:
            self._send(login_error_response(problem, login.user))
            return
        try:
            self._send(login_response(login, handler.database))
            self._serve(login, handler)
        finally:
            handler.close()

    def _open(self, login: Login) -> RequestHandler:
        if failure := self._services.faults.take(RefuseLogin):
            raise failure.error
        self._handler = RequestHandler(login, self._services)
        self._login = login
        return self._handler

    def _send(self, response: bytes) -> None:
        self._channel.send(frame_message(PacketType.TABULAR_RESULT, response))

    def _serve(self, login: Login, handler: RequestHandler) -> None:
        requests = RequestQueue(self._channel, handler.cancel)
        requests.start()
        try:
            is_open = True
            while is_open and (request := requests.next_request()) is not None:
                writer = PacketWriter(self._channel.send, login.packet_size, self._number)
                is_open = _respond(request, handler, writer, requests)
        finally:
            self._channel.shutdown()
            requests.join()


def _respond(
    request: Message, handler: RequestHandler, writer: PacketWriter, requests: RequestQueue
) -> bool:
    """Respond to a request; False if the connection ends with it."""
    response = Response(writer, requests.interrupted, handler.database_change)
    try:
        handler.handle(request, response, Answer(writer, requests.interrupted))
    except Interrupted:
        response.end_canceled()
    if requests.finish_response() or request.type == PacketType.ATTENTION:
        response.acknowledge_attention()
    writer.end()
    return not response.is_fatal
