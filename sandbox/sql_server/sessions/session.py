"""One client's session: its two threads, its login, and its end.

This thread answers; the inbox's reads, so that ATTENTION is seen while an answer is being sent.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sandbox.sql_server.faults import Answer, HangUp, RefuseLogin, StallAfterAccept
from sandbox.sql_server.login.handshake import receive_login, refusal, welcome
from sandbox.sql_server.results import SqlError
from sandbox.sql_server.sessions.request_handler import Conversation
from sandbox.sql_server.sessions.request_queue import Inbox
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
    """What a client said about itself in LOGIN7, and the database it is in."""

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
        self._conversation: Conversation | None = None

    @property
    def info(self) -> SessionInfo | None:
        """Who is logged in; None before login."""
        login, conversation = self._login, self._conversation
        if login is None or conversation is None:
            return None
        return SessionInfo(login.program, login.user, conversation.database, login.host)

    def run(self) -> None:
        """Talk to the client until one of both ends it."""
        try:
            self._greet_and_serve()
        except (ConnectionEnded, HangUp, ProtocolError, ssl.SSLError):
            pass  # nobody is left to tell
        finally:
            self._channel.close()

    def stop(self) -> None:
        """End the session from another thread."""
        self._channel.shutdown()

    def _greet_and_serve(self) -> None:
        if stall := self._services.faults.take(StallAfterAccept):
            self._services.stopping.wait(stall.seconds)
        login = receive_login(self._channel, self._services.encryption, self._services.tls_context)
        try:
            conversation = self._open(login)
        except SqlError as problem:
            self._send(refusal(problem, login.user))
            return
        try:
            self._send(welcome(login, conversation.database))
            self._serve(login, conversation)
        finally:
            conversation.close()

    def _open(self, login: Login) -> Conversation:
        if refused := self._services.faults.take(RefuseLogin):
            raise refused.error
        self._conversation = Conversation(login, self._services)
        self._login = login
        return self._conversation

    def _send(self, answer: bytes) -> None:
        self._channel.send(frame_message(PacketType.TABULAR_RESULT, answer))

    def _serve(self, login: Login, conversation: Conversation) -> None:
        inbox = Inbox(self._channel, conversation.cancel)
        inbox.start()
        try:
            is_open = True
            while is_open and (request := inbox.next_request()) is not None:
                writer = PacketWriter(self._channel.send, login.packet_size, self._number)
                is_open = _answer(request, conversation, writer, inbox)
        finally:
            self._channel.shutdown()
            inbox.join()


def _answer(
    request: Message, conversation: Conversation, writer: PacketWriter, inbox: Inbox
) -> bool:
    """Answer a request; False if the connection ends with it."""
    response = Response(writer, inbox.interrupted, conversation.database_change)
    try:
        conversation.answer(request, response, Answer(writer, inbox.interrupted))
    except Interrupted:
        response.end_interrupted()
    if inbox.finish_answer() or request.type == PacketType.ATTENTION:
        response.acknowledge_attention()
    writer.end()
    return not response.is_fatal
