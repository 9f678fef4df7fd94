"""One T-SQL batch: its session, text and variables, and the operations its statements need."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from sandbox.sql_server.engine.execution.session_state import SessionState
from sandbox.sql_server.engine.parsing.dialect import (
    parse_condition,
    parse_expression,
    parse_statement,
)
from sandbox.sql_server.engine.parsing.statements import SimpleStatement
from sandbox.sql_server.engine.parsing.token_lists import split_top
from sandbox.sql_server.engine.translation.name_scopes import Field
from sandbox.sql_server.engine.values.conversions import convert
from sandbox.sql_server.engine.values.literals import literal
from sandbox.sql_server.engine.values.sql_types import is_stored_in_ticks
from sandbox.sql_server.engine.values.surrogates import encode_surrogates
from sandbox.sql_server.engine.values.typed_sql import TypedSql, in_ticks
from sandbox.sql_server.results import Result, SqlError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from sqlglot import exp
    from sqlglot.tokenizer_core import Token

    from sandbox.sql_server.engine.catalog.object_names import ObjectName
    from sandbox.sql_server.engine.catalog.schema_objects import SchemaObjects, Table
    from sandbox.sql_server.engine.translation.translator import Translator
    from sandbox.sql_server.results import SqlType

RunNested: TypeAlias = Callable[[SessionState, str, dict[str, TypedSql], int], Iterator[Result]]


@dataclass(slots=True)
class Batch:
    """A running batch; its variables live as long as it does.

    `run_nested` runs an EXEC's text; `try_depth` counts the TRY blocks around the statement.
    """

    state: SessionState
    sql: str
    variables: dict[str, TypedSql]
    run_nested: RunNested
    try_depth: int = 0
    _trees: dict[int, exp.Expr] = field(default_factory=dict)

    def prepare(self, statement: SimpleStatement) -> None:
        """Parse a statement before the batch runs."""
        self._trees[id(statement)] = self.parse(statement)

    def parse(self, statement: SimpleStatement) -> exp.Expr:
        """The sqlglot tree of a statement."""
        found = self._trees.get(id(statement))
        if found is not None:
            return found.copy()
        try:
            return parse_statement(split_top(statement)[0], self.sql)
        except SqlError as problem:
            problem.line = statement.line
            raise

    def translator(self) -> Translator:
        """A translator for the next statement."""
        return self.state.translator(self.variables)

    def expression(self, tokens: Sequence[Token]) -> TypedSql:
        """Translate an expression."""
        return self.translator().expression(parse_expression(tokens, self.sql))

    def evaluate(self, tokens: Sequence[Token], sql_type: SqlType | None = None) -> TypedSql:
        """Evaluate an expression to a constant of the type."""
        return self.constant(self.expression(tokens), sql_type)

    def constant(self, expr: TypedSql, sql_type: SqlType | None = None) -> TypedSql:
        """Evaluate a translated expression to a constant of the type."""
        target = sql_type or expr.type
        expr = convert(expr, target)
        expr = in_ticks(expr) if is_stored_in_ticks(target) else expr
        (row,) = self.state.fetch(f"SELECT {expr.sql}", [Field("", target)])
        value = encode_surrogates(row[0]) if isinstance(row[0], str) else row[0]
        return literal(value, target)

    def assign(self, name: str, value: Any, source: SqlType, target: SqlType) -> None:
        """Set a variable to a value that a query returned."""
        value = encode_surrogates(value) if isinstance(value, str) else value
        self.variables[name] = self.constant(literal(value, source), target)

    def nested(self, sql: str, variables: dict[str, TypedSql]) -> Iterator[Result]:
        """Run another batch inside this one."""
        yield from self.run_nested(self.state, sql, variables, self.try_depth)

    def objects(self, name: ObjectName) -> SchemaObjects:
        """The catalog in which a table or view of this name belongs."""
        if name.is_temporary:
            return self.state.temporary
        database = self.translator().context.find_database(name.database)
        return (database or self.state.database).objects

    def check_is_new(self, name: ObjectName) -> None:
        """Raise SqlError 2714 if the name is in use."""
        if self.translator().context.find(name) is not None:
            message = f"There is already an object named '{name.name}' in the database."
            raise SqlError(2714, message, state=6)

    def create_table(self, name: ObjectName, definition: tuple[Table, list[str]]) -> None:
        """Create a table from its definition."""
        if not name.is_temporary:
            self.state.login.permissions.check_creation("TABLE", self.state.database.name)
        self.check_is_new(name)
        table, statements = definition
        for sql in statements:
            self.state.write(sql)
        objects = self.objects(name)
        self.state.change_catalog(lambda: objects.put(table))

    def is_true(self, condition: Sequence[Token]) -> bool:
        """Whether a condition is true."""
        sql = self.translator().condition(parse_condition(condition, self.sql))
        (row,) = self.state.fetch(f"SELECT {sql}", ())
        return row[0] is True


Handler: TypeAlias = Callable[[Batch, SimpleStatement], Iterator[Result]]
"""Runs one kind of statement."""


class Break(Exception):  # noqa: N818 - a jump, not an error
    """BREAK."""


class Continue(Exception):  # noqa: N818 - a jump, not an error
    """CONTINUE."""


class Return(Exception):  # noqa: N818 - a jump, not an error
    """RETURN."""
