"""A function call, as its translation sees it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from sqlglot import exp

from sandbox.sql_server.engine.values.conversions import convert
from sandbox.sql_server.engine.values.sql_types import INT, NVARCHAR_MAX, VARCHAR_MAX, is_unicode
from sandbox.sql_server.results import SqlError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sandbox.sql_server.engine.catalog.execution_context import ExecutionContext
    from sandbox.sql_server.engine.translation.name_scopes import Scope
    from sandbox.sql_server.engine.translation.translator import Translator
    from sandbox.sql_server.engine.values.typed_sql import TypedSql


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """A call by its upper-case name; `over` is DuckDB's OVER clause, empty without one."""

    name: str
    nodes: Sequence[exp.Expr]
    translator: Translator
    scope: Scope
    over: str = ""

    @property
    def context(self) -> ExecutionContext:
        """The statement's execution context."""
        return self.translator.context

    def check_count(self, least: int, most: int | None = None) -> None:
        """Raise SqlError 174 unless the number of arguments is right."""
        if not least <= len(self.nodes) <= (most or least):
            message = f"The {self.name.lower()} function requires {least} argument(s)."
            raise SqlError(174, message, severity=15)

    def raw_argument(self, index: int) -> TypedSql:
        """An argument, possibly in 100 ns ticks."""
        return self.translator.expression(self.nodes[index], self.scope)

    def argument(self, index: int) -> TypedSql:
        """An argument in DuckDB's own type."""
        return self.translator.native(self.nodes[index], self.scope)

    def arguments(self) -> list[TypedSql]:
        """All arguments in DuckDB's own types."""
        return [self.argument(index) for index in range(len(self.nodes))]

    def text(self, index: int) -> TypedSql:
        """An argument as text; text keeps its type."""
        expr = self.argument(index)
        if expr.family == "text" and not expr.is_untyped_null:
            return expr
        return convert(expr, VARCHAR_MAX)

    def number(self, index: int) -> TypedSql:
        """An argument as an int."""
        return convert(self.argument(index), INT)

    def keyword(self, index: int) -> str:
        """An argument that is a bare word, such as a datepart, in lower case."""
        node = self.nodes[index]
        return node.name.lower() if isinstance(node, exp.Column | exp.Var) else ""


Function: TypeAlias = "Callable[[FunctionCall], TypedSql]"


def max_text(expr: TypedSql) -> TypedSql:
    """The text as varchar(max) or nvarchar(max)."""
    return convert(expr, NVARCHAR_MAX if is_unicode(expr.type) else VARCHAR_MAX)
