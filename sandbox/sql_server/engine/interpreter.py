"""Runs a batch: its statements in order, IF, WHILE, TRY, and what an error ends."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sandbox.sql_server.engine.commands import Break, Continue, Return
from sandbox.sql_server.engine.conversions import convert
from sandbox.sql_server.engine.errors import CONTINUING
from sandbox.sql_server.engine.literals import value_term
from sandbox.sql_server.engine.parsing.batch_splitter import split_batch
from sandbox.sql_server.engine.parsing.dialect import (
    parse_condition,
    parse_expression,
    parse_statement,
    syntax_error,
    words,
)
from sandbox.sql_server.engine.parsing.statements import (
    Attempt,
    Block,
    Conditional,
    Loop,
    Simple,
    simple_statements,
)
from sandbox.sql_server.engine.parsing.token_lists import cut_top
from sandbox.sql_server.engine.scopes import Field
from sandbox.sql_server.engine.sql_types import is_stored_in_steps
from sandbox.sql_server.engine.state import cancelled_error
from sandbox.sql_server.engine.statements import HANDLERS
from sandbox.sql_server.engine.terms import Term, in_steps
from sandbox.sql_server.engine.values import hide_surrogates
from sandbox.sql_server.results import ResultSet, SqlError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from sqlglot import exp
    from sqlglot.tokenizer_core import Token

    from sandbox.sql_server.engine.catalog import Objects, Table
    from sandbox.sql_server.engine.parsing.statements import Statement
    from sandbox.sql_server.engine.state import SessionState
    from sandbox.sql_server.engine.surroundings import ObjectName
    from sandbox.sql_server.engine.translation import Translator
    from sandbox.sql_server.results import Result, SqlType

PARSED_KINDS = words("SELECT INSERT UPDATE DELETE MERGE WITH CREATE DROP ALTER TRUNCATE")
_IMPLICIT = words("SELECT INSERT UPDATE DELETE MERGE WITH")


@dataclass(slots=True)
class Run:
    """One batch at work; variables live as long as it."""

    state: SessionState
    sql: str
    variables: dict[str, Term] = field(default_factory=dict)
    attempts: int = 0
    _trees: dict[int, exp.Expr] = field(default_factory=dict)

    def batch(self) -> Iterator[Result]:
        """Results in order.

        Raises:
            SqlError: an error that ends the batch.
        """
        block = split_batch(self.sql)
        self._parse(block)
        try:
            yield from self._statement(block)
        except Return:
            return

    def _parse(self, statement: Statement) -> None:
        """Read everything before anything runs, as SQL Server does."""
        for simple in simple_statements(statement):
            if simple.kind in PARSED_KINDS:
                self._trees[id(simple)] = self.parse(simple)

    def parse(self, statement: Simple) -> exp.Expr:
        """The tree of a statement."""
        found = self._trees.get(id(statement))
        if found is not None:
            return found.copy()
        try:
            return parse_statement(cut_top(statement)[0], self.sql)
        except SqlError as problem:
            problem.line = statement.line
            raise

    def translator(self) -> Translator:
        """For the next statement."""
        return self.state.translator(self.variables)

    def expression(self, tokens: Sequence[Token]) -> Term:
        """A translated value."""
        return self.translator().term(parse_expression(tokens, self.sql))

    def evaluate(self, tokens: Sequence[Token], sql_type: SqlType | None = None) -> Term:
        """The value of an expression, as a constant of the type."""
        return self.constant(self.expression(tokens), sql_type)

    def constant(self, term: Term, sql_type: SqlType | None = None) -> Term:
        """The value of a term, as a constant of the type."""
        target = sql_type or term.type
        term = convert(term, target)
        term = in_steps(term) if is_stored_in_steps(target) else term
        (row,) = self.state.fetch(f"SELECT {term.sql}", [Field("", target)])
        value = hide_surrogates(row[0]) if isinstance(row[0], str) else row[0]
        return value_term(value, target)

    def assign(self, name: str, value: Any, source: SqlType, target: SqlType) -> None:
        """Give a variable a value that came out of a query."""
        value = hide_surrogates(value) if isinstance(value, str) else value
        self.variables[name] = self.constant(value_term(value, source), target)

    def nested(self, sql: str, variables: dict[str, Term]) -> Iterator[Result]:
        """The results of another batch within this one."""
        yield from Run(self.state, sql, variables, self.attempts).batch()

    def objects(self, name: ObjectName) -> Objects:
        """Where a table or view of this name belongs."""
        if name.is_temporary:
            return self.state.temporary
        database = self.translator().surroundings.find_database(name.database)
        return (database or self.state.database).objects

    def check_is_new(self, name: ObjectName) -> None:
        """Raise SqlError 2714 if the name is taken."""
        if self.translator().surroundings.find(name) is not None:
            message = f"There is already an object named '{name.name}' in the database."
            raise SqlError(2714, message, state=6)

    def create_table(self, name: ObjectName, definition: tuple[Table, list[str]]) -> None:
        """Create a table as it is defined."""
        if not name.is_temporary:
            self.state.login.permissions.check_creation("TABLE", self.state.database.name)
        self.check_is_new(name)
        table, statements = definition
        for sql in statements:
            self.state.write(sql)
        objects = self.objects(name)
        self.state.change_catalog(lambda: objects.put(table))

    def holds(self, condition: Sequence[Token]) -> bool:
        """A condition is true."""
        sql = self.translator().condition(parse_condition(condition, self.sql))
        (row,) = self.state.fetch(f"SELECT {sql}", ())
        return row[0] is True

    def _statement(self, statement: Statement) -> Iterator[Result]:
        match statement:
            case Block():
                for inner in statement.statements:
                    yield from self._statement(inner)
            case Conditional():
                chosen = statement.then if self.holds(statement.condition) else statement.otherwise
                if chosen is not None:
                    yield from self._statement(chosen)
            case Loop():
                yield from self._loop(statement)
            case Attempt():
                yield from self._attempt(statement)
            case Simple():
                yield from self._simple(statement)

    def _loop(self, loop: Loop) -> Iterator[Result]:
        while self.holds(loop.condition):
            if self.state.cancelled.is_set():
                raise cancelled_error()
            try:
                yield from self._statement(loop.body)
            except Continue:
                continue
            except Break:
                return

    def _attempt(self, attempt: Attempt) -> Iterator[Result]:
        self.attempts += 1
        try:
            for result in self._statement(attempt.body):
                yield _taken(result)
        except SqlError as problem:
            self.attempts -= 1
            before, self.state.caught = self.state.caught, problem
            try:
                yield from self._statement(attempt.handler)
            finally:
                self.state.caught = before
        else:
            self.attempts -= 1

    def _simple(self, statement: Simple) -> Iterator[Result]:
        self._begin_implicitly(statement)
        try:
            yield from self._checked(statement)
            if statement.kind not in ("RAISERROR",):
                self.state.error = 0
        except SqlError as problem:
            self.state.error = problem.number
            if problem.line == 1:
                problem.line = statement.line
            if self.attempts or problem.number not in CONTINUING:
                raise
            yield problem

    def _begin_implicitly(self, statement: Simple) -> None:
        is_outside = self.state.has_implicit_transactions and not self.state.transaction.depth
        if is_outside and statement.kind in _IMPLICIT:
            self.state.transaction.begin()

    def _checked(self, statement: Simple) -> Iterator[Result]:
        """The statement's results; those that are not taken are dropped before the next."""
        handler = HANDLERS.get(statement.kind)
        if handler is None:
            raise syntax_error(statement.tokens[0].text)
        for result in handler(self, statement):
            if isinstance(result, SqlError) and self.attempts:
                raise result
            yield result
            if isinstance(result, ResultSet):
                _close(result.rows)


def _taken(result: Result) -> Result:
    """Inside TRY rows are fetched at once, so that CATCH sees their errors."""
    if not isinstance(result, ResultSet):
        return result
    return ResultSet(result.columns, iter(list(result.rows)))


def _close(rows: Iterator[Any]) -> None:
    close = getattr(rows, "close", None)
    if close is not None:
        close()
