"""Translates sqlglot trees of T-SQL to DuckDB SQL, by rules that other modules own.

This module imports none of the rules; `rules` collects them, so that imports run one way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sandbox.sql_server.engine.translation.name_scopes import Scope
from sandbox.sql_server.engine.values.typed_sql import native
from sandbox.sql_server.results import SqlError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlglot import exp

    from sandbox.sql_server.engine.catalog.execution_context import ExecutionContext
    from sandbox.sql_server.engine.translation.name_scopes import Query
    from sandbox.sql_server.engine.values.typed_sql import TypedSql


@dataclass(frozen=True, slots=True)
class Rules:
    """The functions that translate a node, by the node's type."""

    expressions: Mapping[type[exp.Expr], Callable[[Translator, exp.Expr, Scope], TypedSql]]
    conditions: Mapping[type[exp.Expr], Callable[[Translator, exp.Expr, Scope], str]]
    queries: Mapping[type[exp.Expr], Callable[[Translator, exp.Expr, Scope | None], Query]]


@dataclass(frozen=True, slots=True)
class Translator:
    """Translates one statement; `context` supplies what is not in its text."""

    context: ExecutionContext
    rules: Rules

    def expression(self, node: exp.Expr, scope: Scope | None = None) -> TypedSql:
        """Translate a scalar expression, possibly to 100 ns ticks.

        Raises:
            SqlError: unknown name, incompatible types, or not a scalar expression.
        """
        translate = self.rules.expressions.get(type(node))
        if translate is None:
            raise syntax_error(node)
        return translate(self, node, scope or Scope())

    def native(self, node: exp.Expr, scope: Scope | None = None) -> TypedSql:
        """Translate a scalar expression to DuckDB's own type."""
        return native(self.expression(node, scope))

    def condition(self, node: exp.Expr, scope: Scope | None = None) -> str:
        """Translate a predicate, as after WHERE.

        Raises:
            SqlError: as `expression`; 4145 it is not a predicate.
        """
        translate = self.rules.conditions.get(type(node))
        if translate is None:
            message = (
                "An expression of non-boolean type specified in a context where a condition "
                f"is expected, near '{node.sql('tsql')}'."
            )
            raise SqlError(4145, message, severity=15)
        return translate(self, node, scope or Scope())

    def query(self, node: exp.Expr, scope: Scope | None = None) -> Query:
        """Translate a SELECT, a set operation, or one of these in parentheses.

        Raises:
            SqlError: as `expression`; 208 unknown table.
        """
        translate = self.rules.queries.get(type(node))
        if translate is None:
            raise syntax_error(node)
        return translate(self, node, scope)


def syntax_error(node: Any) -> SqlError:
    """SQL Server's syntax error for a node that has no rule."""
    near = str(node.sql("tsql")).split(" ")[0] if node is not None else ""
    return SqlError(102, f"Incorrect syntax near '{near}'.", severity=15)
