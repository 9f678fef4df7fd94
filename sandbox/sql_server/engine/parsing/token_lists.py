"""Token lists of statements, split and rewritten for the parser."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot.tokenizer_core import TokenType

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlglot.tokenizer_core import Token

    from sandbox.sql_server.engine.parsing.statements import SimpleStatement

_QUOTED = (TokenType.STRING, TokenType.NATIONAL_STRING, TokenType.IDENTIFIER, TokenType.HEX_STRING)


def keyword(token: Token) -> str:
    """A bare keyword in upper case; empty for strings and bracketed names."""
    return "" if token.token_type in _QUOTED else token.text.upper()


def split_top(statement: SimpleStatement) -> tuple[list[Token], Sequence[Token]]:
    """Split TOP's tokens off an UPDATE or DELETE; compound assignments are written out."""
    tokens = list(statement.tokens)
    if statement.kind not in ("UPDATE", "DELETE"):
        return tokens, ()
    if len(tokens) > 3 and keyword(tokens[1]) == "TOP" and tokens[2].text == "(":
        end = next((i for i, token in enumerate(tokens) if token.text == ")"), len(tokens))
        return _spell_out(tokens[:1] + tokens[end + 1 :]), tokens[3:end]
    return _spell_out(tokens), ()


_OPERATORS = (TokenType.PLUS, TokenType.DASH, TokenType.STAR, TokenType.SLASH, TokenType.MOD)


def _spell_out(tokens: list[Token]) -> list[Token]:
    """Write `a += b` as `a = a + b`, because sqlglot does not parse compound assignment."""
    result: list[Token] = []
    for index, token in enumerate(tokens):
        is_short = index > 0 and token.token_type == TokenType.EQ
        if is_short and tokens[index - 1].token_type in _OPERATORS:
            operator, name = result.pop(), result[-1]
            result += [token, name, operator]
        else:
            result.append(token)
    return result


def split_at_commas(tokens: Sequence[Token]) -> list[list[Token]]:
    """Split a list at its top-level commas."""
    parts: list[list[Token]] = [[]]
    depth = 0
    for token in tokens:
        depth += {"(": 1, ")": -1}.get(keyword(token), 0)
        if depth == 0 and token.token_type == TokenType.COMMA:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts if parts != [[]] else []
