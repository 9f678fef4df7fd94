"""sqlglot's T-SQL parser without its normalisation.

Functions stay as written and types keep SQL Server's names, because sqlglot's common
forms merge what SQL Server distinguishes (real and float, ntext and text, DATEDIFF's text).
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, ClassVar

from sqlglot import exp
from sqlglot.dialects.tsql import TSQL
from sqlglot.errors import ParseError, TokenError
from sqlglot.tokenizer_core import TokenType

from sandbox.sql_server.results import SqlError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlglot.tokenizer_core import Token

_KEPT_PARSERS = ("CAST", "CONVERT", "TRY_CAST", "TRY_CONVERT", "TRIM", "STRING_AGG")
_AFTER_LISTS = (TokenType.FROM, TokenType.WHERE, TokenType.R_PAREN, TokenType.GROUP_BY,
                TokenType.ORDER_BY, TokenType.SEMICOLON)  # fmt: skip
_NO_TYPE_NAMES = (TokenType.ALIAS, TokenType.STRING, TokenType.NATIONAL_STRING, TokenType.NUMBER)


def words(text: str) -> frozenset[str]:
    """The set of these space-separated words."""
    return frozenset(text.split())


RESERVED = words(
    "ADD ALL ALTER AND ANY AS ASC BEGIN BETWEEN BY CASE COLUMN COMMIT CREATE CROSS "
    "DECLARE DEFAULT DELETE DESC DISTINCT DROP ELSE END EXCEPT EXEC EXECUTE EXISTS FOR "
    "FROM FULL GRANT GROUP HAVING IF IN INNER INSERT INTERSECT INTO IS JOIN KEY LEFT LIKE "
    "NOT NULL OF ON OPTION OR ORDER OUTER OVER PRIMARY PRINT RETURN RIGHT ROLLBACK SELECT "
    "SET TABLE THEN TO TOP TRUNCATE UNION UNIQUE UPDATE USE USER VALUES VIEW WAITFOR WHEN "
    "WHERE WHILE WITH"
)


class TransactSql(TSQL):
    """SQL Server's dialect, taken literally."""

    class Tokenizer(TSQL.Tokenizer):
        """Has no keywords that consume the rest of a statement."""

        COMMANDS: ClassVar[set[TokenType]] = set()

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
            """Parse a type by its written name; None where sqlglot tries whether it is one."""
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
    """The tokens of a T-SQL text.

    Raises:
        SqlError: 105, unclosed string.
    """
    try:
        return list(_DIALECT.tokenize(sql))
    except TokenError as error:
        start = sql[sql.rfind("'") + 1 :]
        message = f"Unclosed quotation mark after the character string '{start}'."
        raise SqlError(105, message, severity=15) from error


def parse_statement(tokens: list[Token], sql: str) -> exp.Expr:
    """Parse one statement, whose tokens come from `sql`.

    Raises:
        SqlError: 102 or 156, syntax error.
    """
    _check_commas(tokens)
    try:
        (tree,) = _DIALECT.parser().parse(tokens, sql)
    except ParseError as error:
        near = str(error.errors[0].get("highlight", "")) if error.errors else ""
        raise syntax_error(near) from error
    except ValueError as error:
        raise syntax_error(tokens[-1].text if tokens else "") from error
    if tree is None or isinstance(tree, exp.Command):
        raise syntax_error(tokens[0].text if tokens else "")
    return tree


def _check_commas(tokens: Sequence[Token]) -> None:
    """Reject a trailing comma, which sqlglot accepts and SQL Server does not."""
    for token, following in itertools.pairwise(tokens):
        if token.token_type == TokenType.COMMA and following.token_type in _AFTER_LISTS:
            raise syntax_error(following.text, int(following.line))


def parse_expression(tokens: Sequence[Token], sql: str) -> exp.Expr:
    """Parse an expression.

    Raises:
        SqlError: as `parse_statement`.
    """
    tree = parse_statement([_SELECT, *tokens], sql)
    if not isinstance(tree, exp.Select) or len(tree.expressions) != 1:
        raise syntax_error(tokens[-1].text if tokens else "")
    expression: exp.Expr = tree.expressions[0]
    return expression


def parse_condition(tokens: Sequence[Token], sql: str) -> exp.Expr:
    """Parse a condition, as after IF.

    Raises:
        SqlError: as `parse_statement`.
    """
    where = parse_statement([*_SELECT_WHERE, *tokens], sql).args.get("where")
    if where is None:
        raise syntax_error(tokens[-1].text if tokens else "")
    condition: exp.Expr = where.this
    return condition


_SELECT = tokenize("SELECT")[0]
_SELECT_WHERE = tokenize("SELECT 1 WHERE")


def syntax_error(near: str, line: int = 1) -> SqlError:
    """SQL Server's syntax error near this token."""
    if near.upper() in RESERVED:
        text = f"Incorrect syntax near the keyword '{near}'."
        return SqlError(156, text, severity=15, line=line)
    return SqlError(102, f"Incorrect syntax near '{near}'.", severity=15, line=line)


def parse_text(sql: str) -> exp.Expr:
    """Parse text that has been parsed before, such as a view's query."""
    return parse_statement(tokenize(sql), sql)
