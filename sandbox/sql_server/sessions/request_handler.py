"""Runs a logged-in client's requests and writes their responses."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from sandbox.sql_server.canned import find_canned
from sandbox.sql_server.requests.parser import (
    RpcRequest,
    TransactionAction,
    TransactionRequest,
    parse_batch,
    parse_rpc,
    parse_transaction,
)
from sandbox.sql_server.requests.system_procedures import ProcedureResult, SystemProcedures
from sandbox.sql_server.results import Column, ResultSet, SqlError, SqlType
from sandbox.sql_server.token_stream import tokens
from sandbox.sql_server.token_stream.tokens import Change, Done, Token
from sandbox.sql_server.transport.packets import PacketStatus, PacketType, ProtocolError

if TYPE_CHECKING:
    import ssl
    import threading
    from collections.abc import Iterator, Mapping, Sequence

    from sandbox.sql_server.canned import CannedKey, CannedResult
    from sandbox.sql_server.faults import Answer, Faults
    from sandbox.sql_server.login.login7 import Login
    from sandbox.sql_server.login.prelogin import EncryptionMode
    from sandbox.sql_server.results import Engine
    from sandbox.sql_server.sessions.response import Response, ResponsePart
    from sandbox.sql_server.transport.packets import Message

_RESETS = PacketStatus.RESET_CONNECTION | PacketStatus.RESET_CONNECTION_KEEP_TRANSACTION
_COMMAND_TRANSACTION = 0xD4
_CHANGES = {
    TransactionAction.COMMIT: Change.COMMIT_TRANSACTION,
    TransactionAction.ROLLBACK: Change.ROLLBACK_TRANSACTION,
}


@dataclass(frozen=True, slots=True)
class Services:
    """What the sessions of a server share."""

    engine: Engine
    encryption: EncryptionMode
    tls_context: ssl.SSLContext
    faults: Faults
    canned: Mapping[CannedKey, CannedResult]
    stopping: threading.Event


class RequestHandler:
    """A logged-in client and its engine session.

    Raises:
        SqlError: the engine rejects the login.
    """

    def __init__(self, login: Login, services: Services) -> None:
        self._login = login
        self._services = services
        self._session = services.engine.login(login.user, login.password, login.database)
        self._announced_database = self._session.database
        self._transaction = 0
        self._procedures = SystemProcedures(self._describe)
        self._canned_rows: int | None = None  # of the last batch, if its result was canned

    @property
    def database(self) -> str:
        """The session's current database."""
        return self._session.database

    def close(self) -> None:
        """End the engine's session."""
        self._session.close()

    def cancel(self) -> None:
        """Cancel the running statement; called from the request queue's thread."""
        self._session.cancel()

    def database_change(self) -> bytes:
        """ENVCHANGE if the client does not know the current database yet, as after USE."""
        new, old = self._session.database, self._announced_database
        if new == old:
            return b""
        self._announced_database = new
        return tokens.database_changed(new, old)

    def handle(self, request: Message, response: Response, control: Answer) -> None:
        """Run a request and write its response.

        Raises:
            Interrupted: the client sent ATTENTION.
            ProtocolError: the message is not a request.
        """
        if request.status & PacketStatus.RESET_CONNECTION:
            self._reset()
        if request.status & _RESETS:
            response.write(tokens.change_bytes(Change.RESET_ACKNOWLEDGED))
        match request.type:
            case PacketType.SQL_BATCH:
                self._run_batch(parse_batch(request.payload), response, control)
            case PacketType.RPC:
                self._run_calls(parse_rpc(request.payload), response, control)
            case PacketType.TRANSACTION_MANAGER:
                self._respond_to_transaction(request.payload, response)
            case PacketType.ATTENTION:
                pass  # it arrived after the response: only acknowledge it
            case _:
                raise ProtocolError(f"a message of type {request.type} is not supported")

    def _reset(self) -> None:
        """Reset to the state after login, for a pooled connection ([MS-TDS] 2.2.3.1.2)."""
        self._session.close()
        login = self._login
        self._session = self._services.engine.login(login.user, login.password, login.database)
        self._procedures.clear()

    def _run_batch(self, sql: str, response: Response, control: Answer) -> None:
        response.write_results(self._execute(control, sql, {}))
        response.end_batch()

    def _run_calls(
        self, requests: Sequence[RpcRequest], response: Response, control: Answer
    ) -> None:
        for index, request in enumerate(requests, start=1):
            result = self._call(request, control)
            response.write_procedure(result.results, result.outputs, is_last=index == len(requests))

    def _call(self, request: RpcRequest, control: Answer) -> ProcedureResult:
        try:
            return self._procedures.call(request, partial(self._execute, control))
        except SqlError as problem:
            return ProcedureResult(iter([problem]))

    def _execute(
        self, control: Answer, sql: str, parameters: Mapping[str, Any]
    ) -> Iterator[ResponsePart]:
        """The results of a batch: a system procedure's, a canned result, or the engine's."""
        called = self._procedures.called_in_batch(sql, parameters)
        if called is not None:
            yield from called.results
        else:
            yield from self._services.faults.disturb(sql, self._run(sql, parameters), control)

    def _run(self, sql: str, parameters: Mapping[str, Any]) -> Iterator[ResponsePart]:
        rows, self._canned_rows = self._canned_rows, None
        canned = find_canned(self._services.canned, sql)
        if canned is not None:
            self._canned_rows = canned.row_count
            yield canned
        elif rows is not None and sql.strip() == "SELECT @@ROWCOUNT":
            yield ResultSet([Column("", SqlType("int"))], iter([[rows]]))
        else:
            yield from self._session.execute(sql, parameters)

    def _describe(self, sql: str, declarations: str) -> Sequence[Column]:
        canned = find_canned(self._services.canned, sql)
        return canned.columns if canned else self._session.describe(sql, declarations)

    def _respond_to_transaction(self, payload: bytes, response: Response) -> None:
        request = parse_transaction(payload)
        try:
            self._run_transaction(request, response)
        except SqlError as problem:
            response.write_results(iter([problem]))
            response.end_batch()
            return
        response.write(tokens.done(Token.DONE, Done.FINAL, command=_COMMAND_TRANSACTION))

    def _run_transaction(self, request: TransactionRequest, response: Response) -> None:
        if request.action is TransactionAction.BEGIN:
            response.write(self._begin())
            return
        if request.action is TransactionAction.COMMIT:
            self._session.commit()
        else:
            self._session.rollback()
        response.write(tokens.change_bytes(_CHANGES[request.action], old=self._descriptor()))
        if request.begins_another:
            response.write(self._begin())

    def _begin(self) -> bytes:
        self._session.begin()
        self._transaction += 1
        return tokens.change_bytes(Change.BEGIN_TRANSACTION, new=self._descriptor())

    def _descriptor(self) -> bytes:
        """The descriptor of the running transaction; clients repeat it in request headers."""
        return struct.pack("<Q", self._transaction)
