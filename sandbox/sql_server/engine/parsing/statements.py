"""The statements of a T-SQL batch: control flow around simple statements."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlglot.tokenizer_core import Token


@dataclass(frozen=True, slots=True)
class SimpleStatement:
    """A statement that contains no other; `kind` is its first keyword."""

    kind: str
    tokens: Sequence[Token]

    @property
    def line(self) -> int:
        """The line on which it begins."""
        return int(self.tokens[0].line)


@dataclass(frozen=True, slots=True)
class IfStatement:
    """IF … ELSE …."""

    condition: Sequence[Token]
    then: Statement
    otherwise: Statement | None


@dataclass(frozen=True, slots=True)
class WhileLoop:
    """WHILE …."""

    condition: Sequence[Token]
    body: Statement


@dataclass(frozen=True, slots=True)
class Block:
    """BEGIN … END, or the batch."""

    statements: Sequence[Statement]


@dataclass(frozen=True, slots=True)
class TryCatch:
    """BEGIN TRY … BEGIN CATCH …."""

    body: Block
    handler: Block


Statement: TypeAlias = SimpleStatement | IfStatement | WhileLoop | Block | TryCatch


def simple_statements(statement: Statement | None) -> Iterator[SimpleStatement]:
    """The simple statements in a statement, in order."""
    match statement:
        case SimpleStatement():
            yield statement
        case Block():
            for inner in statement.statements:
                yield from simple_statements(inner)
        case IfStatement():
            yield from simple_statements(statement.then)
            yield from simple_statements(statement.otherwise)
        case WhileLoop():
            yield from simple_statements(statement.body)
        case TryCatch():
            yield from simple_statements(statement.body)
            yield from simple_statements(statement.handler)
