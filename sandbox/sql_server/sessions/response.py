"""Writes the response to one request: the engine's results as tokens ([MS-TDS] 2.2.7).

In a batch every statement ends with DONE, whose "more" bit says whether another follows, so a
DONE is held back until that is known. In a procedure statements end with DONEINPROC, and DONEPROC
comes last.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from sandbox.sql_server.canned import CannedResult
from sandbox.sql_server.results import Message, Result, ResultSet, RowCount, SqlError
from sandbox.sql_server.token_stream import tokens
from sandbox.sql_server.token_stream.rows import column_metadata, return_value, row_encoder
from sandbox.sql_server.token_stream.tokens import Done, Token

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterator, Sequence

    from sandbox.sql_server.requests.system_procedures import Output
    from sandbox.sql_server.transport.packet_writer import PacketWriter

ResponsePart: TypeAlias = "Result | CannedResult"
_FATAL_SEVERITY = 20


class Interrupted(Exception):  # noqa: N818 - ATTENTION is not a failure
    """The client cancelled the response."""


class Response:
    """The response to one request; `is_fatal` after an error that ends the connection."""

    def __init__(
        self,
        writer: PacketWriter,
        interrupted: threading.Event,
        environment_changes: Callable[[], bytes],
    ) -> None:
        self.is_fatal = False
        self._writer = writer
        self._interrupted = interrupted
        self._environment_changes = environment_changes
        self._in_procedure = False
        self._has_failed = False
        self._waiting: tuple[Done, int, int | None] | None = None

    def write(self, data: bytes) -> None:
        """Write encoded tokens, after the DONE that was held back."""
        if data:
            self._flush_waiting()
            self._writer.write(data)

    def write_results(self, results: Iterator[Any]) -> None:
        """Write results as they are produced; a raised error is sent and ends them.

        Raises:
            Interrupted: the client sent ATTENTION.
        """
        try:
            for result in results:
                self._check()
                self._write_result(result)
                self.write(self._environment_changes())
        except SqlError as problem:
            self._check()
            self._write_error(problem)
        self._check()
        self.write(self._environment_changes())

    def write_procedure(
        self, results: Iterator[Any], outputs: Sequence[Output], *, is_last: bool
    ) -> None:
        """Write a procedure's results, its return status, its outputs and DONEPROC."""
        self._in_procedure, self._has_failed = True, False
        self.write_results(results)
        self._in_procedure = False
        self.write(tokens.return_status())
        for output in outputs:
            self.write(return_value(output.ordinal, output.name, output.type, output.value))
        status = Done.ERROR if self._has_failed else Done.FINAL
        status |= Done.FINAL if is_last else Done.MORE
        self.write(tokens.done(Token.DONE_PROCEDURE, status, command=tokens.COMMAND_EXECUTE))

    def end_batch(self) -> None:
        """Write the last DONE, also for an empty batch."""
        status, command, count = self._waiting or (Done.FINAL, 0, None)
        self._waiting = None
        self.write(tokens.done(Token.DONE, status, command=command, count=count))

    def end_canceled(self) -> None:
        """Write the DONE of the cancelled statement, which drivers report as canceled."""
        token = Token.DONE_PROCEDURE if self._in_procedure else Token.DONE
        self.write(tokens.done(token, Done.ERROR | Done.MORE))

    def acknowledge_attention(self) -> None:
        """Write the DONE that acknowledges ATTENTION."""
        self.write(tokens.done(Token.DONE, Done.ATTENTION))

    def _flush_waiting(self) -> None:
        if self._waiting is not None:
            status, command, count = self._waiting
            self._waiting = None
            status |= Done.MORE
            self._writer.write(tokens.done(Token.DONE, status, command=command, count=count))

    def _check(self) -> None:
        if self._interrupted.is_set():
            raise Interrupted

    def _write_result(self, result: ResponsePart) -> None:
        match result:
            case ResultSet():
                self._write_table(result)
            case CannedResult():
                self._write_canned(result)
            case RowCount():
                self._end_statement(count=result.count)
            case Message():
                self.write(tokens.info(result))
            case SqlError():
                self._write_error(result)

    def _write_table(self, result: ResultSet) -> None:
        self.write(column_metadata(result.columns))
        encode, write = row_encoder(result.columns), self._writer.write
        is_interrupted, count = self._interrupted.is_set, 0
        for row in result.rows:
            if is_interrupted():
                raise Interrupted
            write(encode(row))
            count += 1
        self._end_statement(command=tokens.COMMAND_SELECT, count=count)

    def _write_canned(self, result: CannedResult) -> None:
        self.write(column_metadata(result.columns))
        for piece in result.replay():
            self._check()
            self._writer.write(piece)
        self._end_statement(command=tokens.COMMAND_SELECT, count=result.row_count)

    def _write_error(self, problem: SqlError) -> None:
        self._has_failed = True
        self.is_fatal |= problem.severity >= _FATAL_SEVERITY
        self.write(tokens.error(problem))
        self._end_statement(Done.ERROR)

    def _end_statement(
        self, status: Done = Done.FINAL, *, command: int = 0, count: int | None = None
    ) -> None:
        if self._in_procedure:
            status |= Done.MORE
            self.write(tokens.done(Token.DONE_IN_PROCEDURE, status, command=command, count=count))
            return
        self._flush_waiting()
        self._waiting = (status, command, count)
