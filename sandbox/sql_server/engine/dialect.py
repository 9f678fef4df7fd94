"""T-SQL as the engine reads it: sqlglot's parser without its translations.

Functions stay as they are written and types keep SQL Server's names, since sqlglot's common
forms drop what SQL Server tells apart (real and float, ntext and text, DATEDIFF's text).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from sqlglot import exp
from sqlglot.dialects.tsql import TSQL
from sqlglot.tokenizer_core import TokenType

if TYPE_CHECKING:
    from sqlglot.tokenizer_core import Token

_KEPT_PARSERS = ("CAST", "CONVERT", "TRY_CAST", "TRY_CONVERT", "TRIM", "STRING_AGG")
_NO_TYPE_NAMES = (TokenType.ALIAS, TokenType.STRING, TokenType.NATIONAL_STRING, TokenType.NUMBER)


class TransactSql(TSQL):
    """SQL Server's dialect, taken literally."""

    class Parser(TSQL.Parser):  # type: ignore[misc, valid-type]  # sqlglot builds it at import
        """Leaves functions anonymous and types as SQL Server names them."""

        FUNCTIONS: ClassVar[dict[str, Any]] = {}
        FUNCTION_PARSERS: ClassVar[dict[str, Any]] = {
            name: TSQL.Parser.FUNCTION_PARSERS[name] for name in _KEPT_PARSERS
        }

        def _parse_types(
            self,
            check_func: bool = False,
            schema: bool = False,
            allow_identifiers: bool = True,
            with_collation: bool = False,
        ) -> exp.Expr | None:
            """A type by its written name; where an expression is tried as a type, none."""
            del schema, with_collation
            if check_func or not allow_identifiers or not self._is_at_type_name():
                return None
            name = self._curr.text
            self._advance()
            return exp.DataType(
                this=exp.DType.USERDEFINED, kind=name, expressions=self._parse_type_sizes()
            )

        def _is_at_type_name(self) -> bool:
            return bool(
                self._curr
                and self._curr.text[:1].isalpha()
                and self._curr.token_type not in _NO_TYPE_NAMES
            )

        def _parse_type_sizes(self) -> list[exp.Expr]:
            if not self._match(TokenType.L_PAREN):
                return []
            sizes: list[exp.Expr] = []
            while self._curr and not self._match(TokenType.R_PAREN):
                sizes.append(exp.Var(this=self._curr.text))
                self._advance()
                self._match(TokenType.COMMA)
            return sizes


_DIALECT = TransactSql()


def tokenize(sql: str) -> list[Token]:
    """The tokens of a T-SQL text."""
    return list(_DIALECT.tokenize(sql))


def parse_statement(tokens: list[Token], sql: str) -> exp.Expr | None:
    """The tree of one statement, whose tokens were cut from `sql`."""
    return next(iter(_DIALECT.parser().parse(tokens, sql)), None)


def parse_text(sql: str) -> exp.Expr:
    """The tree of a text that has been parsed before, such as a view's query."""
    tree = parse_statement(tokenize(sql), sql)
    assert tree is not None  # noqa: S101 - it was a statement
    return tree
