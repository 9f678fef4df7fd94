"""Parses requests after login: SQL batches, RPCs, transaction manager requests.

[MS-TDS] 2.2.6.6 (RPC), 2.2.6.7 (SQLBatch), 2.2.6.9 (transaction manager), 2.2.5.3 (ALL_HEADERS).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from sandbox.sql_server.data_types.byte_reader import ByteReader
from sandbox.sql_server.data_types.parameter_values import read_value
from sandbox.sql_server.transport.packets import ProtocolError

_BY_NUMBER = 0xFFFF
_SEPARATORS = (0x80, 0xFF, 0xFE)  # separate the calls of one message; 0xFE: do not run the call
_BEGIN_ANOTHER = 0x01
_OUTPUT = 0x01

_PROCEDURES = (
    "",
    "sp_cursor",
    "sp_cursoropen",
    "sp_cursorprepare",
    "sp_cursorexecute",
    "sp_cursorprepexec",
    "sp_cursorunprepare",
    "sp_cursorfetch",
    "sp_cursoroption",
    "sp_cursorclose",
    "sp_executesql",
    "sp_prepare",
    "sp_execute",
    "sp_prepexec",
    "sp_prepexecrpc",
    "sp_unprepare",
)


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of an RPC; `name` is empty if it is positional."""

    name: str
    value: Any
    is_output: bool = False


@dataclass(frozen=True, slots=True)
class RpcRequest:
    """A procedure call; the name is lower case, without schema and brackets."""

    name: str
    parameters: tuple[Parameter, ...]


class TransactionAction(IntEnum):
    """The supported transaction manager requests: [MS-TDS] 2.2.6.9."""

    BEGIN = 5
    COMMIT = 7
    ROLLBACK = 8


@dataclass(frozen=True, slots=True)
class TransactionRequest:
    """A transaction manager request; `begins_another` begins a new transaction afterwards."""

    action: TransactionAction
    begins_another: bool = False


def _after_headers(payload: bytes) -> ByteReader:
    reader = ByteReader(payload)
    total = reader.number(4)
    reader.take(total - 4)
    return reader


def parse_batch(payload: bytes) -> str:
    """The SQL text of a batch."""
    reader = _after_headers(payload)
    return reader.take(len(payload) - reader.position).decode("utf-16-le", "surrogatepass")


def parse_rpc(payload: bytes) -> list[RpcRequest]:
    """The calls of an RPC message; drivers may batch several."""
    reader = _after_headers(payload)
    calls = []
    while not reader.at_end:
        calls.append(_read_call(reader, payload))
    return calls


def _read_call(reader: ByteReader, payload: bytes) -> RpcRequest:
    name = _read_name(reader)
    reader.take(2)  # option flags: recompile, no metadata, reuse metadata
    parameters = []
    while not reader.at_end and payload[reader.position] not in _SEPARATORS:
        parameters.append(_read_parameter(reader))
    if not reader.at_end:
        reader.take(1)
    return RpcRequest(name, tuple(parameters))


def procedure_name(written: str) -> str:
    """A procedure's name in lower case, without schema and brackets."""
    return written.rsplit(".", 1)[-1].strip("[]").lower()


def _read_name(reader: ByteReader) -> str:
    length = reader.number(2)
    if length != _BY_NUMBER:
        return procedure_name(reader.take(2 * length).decode("utf-16-le"))
    number = reader.number(2)
    if not 0 < number < len(_PROCEDURES):
        raise ProtocolError(f"there is no system procedure with the number {number}")
    return _PROCEDURES[number]


def _read_parameter(reader: ByteReader) -> Parameter:
    name = reader.short_text()
    status = reader.number(1)
    return Parameter(name, read_value(reader), bool(status & _OUTPUT))


def parse_transaction(payload: bytes) -> TransactionRequest:
    """Parse a transaction manager request.

    Raises:
        ProtocolError: distributed transactions or savepoints.
    """
    reader = _after_headers(payload)
    number = reader.number(2)
    try:
        action = TransactionAction(number)
    except ValueError:
        raise ProtocolError(f"transaction request {number} is not supported") from None
    if action is TransactionAction.BEGIN:
        return TransactionRequest(action)
    reader.take(reader.number(1))  # the transaction's name
    flags = 0 if reader.at_end else reader.number(1)
    return TransactionRequest(action, bool(flags & _BEGIN_ANOTHER))
