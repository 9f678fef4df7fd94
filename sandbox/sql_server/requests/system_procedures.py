"""The system procedures that drivers call: prepared statements, metadata, type information.

Drivers call them by RPC, by name or number; people, and FreeTDS, call them in a batch.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from sandbox.sql_server.requests.datatype_info import datatype_rows
from sandbox.sql_server.requests.first_result_set import describe_rows
from sandbox.sql_server.requests.parser import Parameter, RpcRequest, procedure_name
from sandbox.sql_server.results import Column, ResultSet, SqlError, SqlType

if TYPE_CHECKING:
    from collections.abc import Sequence


_DECLARED = re.compile(r"(@[\w@$#]+)\s+(?:as\s+)?\w", re.IGNORECASE)
_CALLED_IN_BATCH = re.compile(
    r"""\s*(?:exec(?:ute)?\s+)?(?:\[?sys\]?\s*\.\s*)?
    \[?(sp_describe_first_result_set|sp_datatype_info(?:_100|_90)?)\]?
    (?:\s+(?P<arguments>.*?))?\s*;?\s*\Z""",
    re.IGNORECASE | re.DOTALL | re.VERBOSE,
)
_ARGUMENT = re.compile(
    r"""\s*(?:(?P<name>@\w+)\s*=\s*)?
    (?:N?'(?P<text>(?:[^']|'')*)'|(?P<number>-?\d+)|(?P<variable>@\w+)|(?P<null>NULL))
    \s*(?:,|\Z)""",
    re.IGNORECASE | re.VERBOSE,
)


Execute: TypeAlias = Callable[[str, Mapping[str, Any]], Iterator[Any]]
"""Runs SQL with its parameters by name."""


@dataclass(frozen=True, slots=True)
class Output:
    """The value of an output parameter."""

    ordinal: int
    name: str
    type: SqlType
    value: Any


@dataclass(frozen=True, slots=True)
class ProcedureResult:
    """A procedure's results and output parameters."""

    results: Iterator[Any]
    outputs: Sequence[Output] = ()


@dataclass(frozen=True, slots=True)
class _Statement:
    sql: str
    names: tuple[str, ...]

    def bind(self, values: Sequence[Parameter]) -> dict[str, Any]:
        """Values by name: their own, or the declared name at their position."""
        declared = (*self.names, *(f"@p{index}" for index in range(len(values))))
        return {
            value.name or name: value.value for value, name in zip(values, declared, strict=False)
        }


_Prepared: TypeAlias = _Statement | str
"""What a handle refers to: a statement, or a procedure by name."""


@dataclass(slots=True)
class SystemProcedures:
    """The system procedures of one session; `describe` returns the columns of a query."""

    describe: Callable[[str, str], Sequence[Column]]
    _prepared: dict[int, _Prepared] = field(default_factory=dict)
    _last_handle: int = 0

    def call(self, request: RpcRequest, execute: Execute) -> ProcedureResult:
        """Call a procedure; `execute` runs the SQL that it is given.

        Raises:
            SqlError: unknown procedure or invalid arguments.
        """
        match request.name:
            case "sp_executesql":
                return _execute_sql(request.parameters, execute)
            case "sp_prepexec":
                return self._prepare_and_execute(request.parameters, execute)
            case "sp_prepexecrpc":
                return self._prepare_and_call(request.parameters, execute)
            case "sp_prepare":
                return self._prepare(request.parameters)
            case "sp_execute":
                return self._execute_prepared(request.parameters, execute)
            case "sp_unprepare":
                return self._unprepare(request.parameters)
        if request.name.startswith("sp_cursor"):
            raise SqlError(16902, f"{request.name}: server cursors are not supported.")
        return self._metadata(request) or _call_in_engine(request, execute)

    def clear(self) -> None:
        """Drop all prepared statements, after a connection reset."""
        self._prepared.clear()

    def called_in_batch(self, sql: str, variables: Mapping[str, Any]) -> ProcedureResult | None:
        """The result of a batch that only calls one of these procedures; None for others."""
        match = _CALLED_IN_BATCH.match(sql)
        arguments = _arguments(match["arguments"] or "", variables) if match else None
        if match is None or arguments is None:
            return None
        return self._metadata(RpcRequest(match[1].lower(), arguments))

    def _metadata(self, request: RpcRequest) -> ProcedureResult | None:
        """The procedures that return metadata."""
        match request.name:
            case "sp_describe_first_result_set":
                return ProcedureResult(self._first_result_set(request.parameters))
            case "sp_datatype_info" | "sp_datatype_info_90" | "sp_datatype_info_100":
                return ProcedureResult(_datatypes(request.parameters))
        return None

    def _prepare_and_execute(
        self, parameters: tuple[Parameter, ...], execute: Execute
    ) -> ProcedureResult:
        handle, declarations, sql, *values = parameters
        statement = _Statement(sql.value, _declared_names(declarations.value))
        results = execute(statement.sql, statement.bind(values))
        return ProcedureResult(results, [self._keep(statement, handle)])

    def _prepare_and_call(
        self, parameters: tuple[Parameter, ...], execute: Execute
    ) -> ProcedureResult:
        """ODBC's `{CALL procedure (?)}`."""
        handle, written, *values = parameters
        name = procedure_name(written.value)
        called = self.call(RpcRequest(name, tuple(values)), execute)
        return replace(called, outputs=[self._keep(name, handle), *called.outputs])

    def _prepare(self, parameters: tuple[Parameter, ...]) -> ProcedureResult:
        handle, declarations, sql, *_ = parameters
        statement = _Statement(sql.value, _declared_names(declarations.value))
        columns = self.describe(statement.sql, declarations.value or "")
        results = [ResultSet(columns, iter(()))] if columns else []
        return ProcedureResult(iter(results), [self._keep(statement, handle)])

    def _keep(self, prepared: _Prepared, handle: Parameter) -> Output:
        self._prepared.pop(handle.value, None)  # a handle passed in is replaced
        self._last_handle += 1
        self._prepared[self._last_handle] = prepared
        return Output(0, handle.name, SqlType("int"), self._last_handle)

    def _execute_prepared(
        self, parameters: tuple[Parameter, ...], execute: Execute
    ) -> ProcedureResult:
        handle, *values = parameters
        prepared = self._prepared.get(handle.value)
        if prepared is None:
            message = f"Could not find prepared statement with handle {handle.value}."
            raise SqlError(8179, message)
        if isinstance(prepared, str):
            return self.call(RpcRequest(prepared, tuple(values)), execute)
        return ProcedureResult(execute(prepared.sql, prepared.bind(values)))

    def _unprepare(self, parameters: tuple[Parameter, ...]) -> ProcedureResult:
        self._prepared.pop(parameters[0].value, None)
        return ProcedureResult(iter(()))

    def _first_result_set(self, parameters: tuple[Parameter, ...]) -> Iterator[Any]:
        named = {parameter.name.lower(): parameter.value for parameter in parameters}
        sql = named.get("@tsql") or _first_text(parameters)
        declarations = named.get("@params") or ""
        yield describe_rows(self.describe(sql, declarations))


def _execute_sql(parameters: tuple[Parameter, ...], execute: Execute) -> ProcedureResult:
    sql, values = _first_text(parameters), parameters[2:]
    declarations = parameters[1].value if len(parameters) > 1 else ""
    statement = _Statement(sql, _declared_names(declarations))
    return ProcedureResult(execute(sql, statement.bind(values)))


def _call_in_engine(request: RpcRequest, execute: Execute) -> ProcedureResult:
    """Run any other procedure as an EXEC statement."""
    names = [p.name or f"@p{index}" for index, p in enumerate(request.parameters)]
    arguments = [
        f"{parameter.name} = {name}" if parameter.name else name
        for parameter, name in zip(request.parameters, names, strict=True)
    ]
    values = {n: p.value for n, p in zip(names, request.parameters, strict=True)}
    return ProcedureResult(execute(f"EXEC {request.name} {', '.join(arguments)}".strip(), values))


def _declared_names(declarations: str | None) -> tuple[str, ...]:
    return tuple(_DECLARED.findall(declarations or ""))


def _first_text(parameters: tuple[Parameter, ...]) -> str:
    if not parameters or not isinstance(parameters[0].value, str):
        raise SqlError(214, "Procedure expects parameter '@statement' of type 'nvarchar(max)'.")
    return parameters[0].value


def _datatypes(parameters: tuple[Parameter, ...]) -> Iterator[Any]:
    wanted = [p.value for p in parameters if p.name.lower() in ("", "@data_type")]
    return iter([datatype_rows(wanted[0] if wanted else 0)])


def _arguments(written: str, variables: Mapping[str, Any]) -> tuple[Parameter, ...] | None:
    """Parse a batch's arguments: literals and variables; None if there is anything else."""
    parameters, position = [], 0
    while position < len(written):
        match = _ARGUMENT.match(written, position)
        if match is None or (match["variable"] and match["variable"] not in variables):
            return None
        parameters.append(Parameter(match["name"] or "", _literal(match, variables)))
        position = match.end()
    return tuple(parameters)


def _literal(match: re.Match[str], variables: Mapping[str, Any]) -> Any:
    if match["text"] is not None:
        return match["text"].replace("''", "'")
    if match["number"] is not None:
        return int(match["number"])
    return variables[match["variable"]] if match["variable"] else None
