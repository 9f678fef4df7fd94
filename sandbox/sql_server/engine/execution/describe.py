"""Finds the columns of a batch's first result set without running it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot import exp

from sandbox.sql_server.engine.execution.batch import Batch
from sandbox.sql_server.engine.execution.interpreter import PARSED_KINDS, execute_batch
from sandbox.sql_server.engine.execution.statements.rows import is_assignment
from sandbox.sql_server.engine.execution.statements.variables import read_declaration
from sandbox.sql_server.engine.parsing.batch_splitter import split_batch
from sandbox.sql_server.engine.parsing.dialect import tokenize
from sandbox.sql_server.engine.parsing.statements import simple_statements
from sandbox.sql_server.engine.parsing.token_lists import split_at_commas
from sandbox.sql_server.engine.values.literals import literal
from sandbox.sql_server.engine.values.typed_sql import NOT_CONSTANT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlglot.tokenizer_core import Token

    from sandbox.sql_server.engine.execution.session_state import SessionState
    from sandbox.sql_server.engine.values.typed_sql import TypedSql
    from sandbox.sql_server.results import Column


def describe_first(state: SessionState, sql: str, declarations: str) -> Sequence[Column]:
    """The columns of the first SELECT; empty if the batch has none.

    Raises:
        SqlError: the SELECT or a declaration is invalid.
    """
    batch = Batch(state, sql, declared_variables(declarations), execute_batch)
    statements = list(simple_statements(split_batch(sql)))
    trees = {id(s): batch.parse(s) for s in statements if s.kind in PARSED_KINDS}
    for statement in statements:
        if statement.kind == "DECLARE":
            for part in split_at_commas(statement.tokens[1:]):
                _declare(batch.variables, part)
        tree = trees.get(id(statement))
        if isinstance(tree, exp.Query) and not is_assignment(tree) and not tree.args.get("into"):
            query = state.translator(batch.variables, describes_only=True).query(tree)
            return state.columns(query.fields)
    return ()


def declared_variables(declarations: str) -> dict[str, TypedSql]:
    """Variables without values, declared by text such as `@p1 int, @p2 nvarchar(50)`."""
    variables: dict[str, TypedSql] = {}
    for part in split_at_commas(tokenize(declarations)):
        _declare(variables, part)
    return variables


def _declare(variables: dict[str, TypedSql], tokens: Sequence[Token]) -> None:
    name, sql_type, _ = read_declaration(tokens)
    variables[name.lower()] = replace(literal(None, sql_type), constant=NOT_CONSTANT)
