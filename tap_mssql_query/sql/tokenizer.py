"""Splits T-SQL into tokens. Pure; knows no grammar.

A `--` comment ends at a line feed; `find_unclear_line_end` finds the comments that another server
might end earlier. Block comments nest. Source: "Slash Star (Block Comment)", Transact-SQL.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class TokenKind(Enum):
    """What a token is."""

    WORD = auto()
    """A keyword, an unquoted name, or a @variable."""
    NUMBER = auto()
    """A number."""
    STRING = auto()
    """A string; an N before it is a word."""
    NAME = auto()
    """A name in brackets or quotes."""
    SYMBOL = auto()
    """Any other character."""
    COMMENT = auto()
    """A comment; `tokenize` leaves it out."""
    UNCLOSED = auto()
    """A comment, string or name that lasts until the end of the text, because it is not closed."""


@dataclass(frozen=True, slots=True)
class Token:
    """One token; `text` is in upper case, and empty for what is quoted.

    `name` is the name that a WORD or NAME may be, without quotes. `start` and `end` are the
    position in the SQL. None of the three counts for equality.
    """

    kind: TokenKind
    text: str
    start: int = field(default=0, compare=False)
    end: int = field(default=0, compare=False)
    name: str = field(default="", compare=False)


_TOKEN = re.compile(
    r"""(?P<space>\s+)
    | (?P<line>--[^\n]*)
    | (?P<block>/\*)
    | (?P<string>'(?:[^']|'')*(?P<string_end>'|\Z))
    | (?P<name>"(?:[^"]|"")*(?P<quote_end>"|\Z) | \[(?:[^\]]|\]\])*(?P<bracket_end>\]|\Z))
    | (?P<number>0[xX][0-9a-fA-F]* | [0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]*)?)
    | (?P<word>[@#\w][\w@#$]*)
    | (?P<symbol>.)""",
    re.VERBOSE | re.DOTALL,
)
_COMMENT_EDGE = re.compile(r"/\*|\*/")
_LINE_ENDS = "\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"
"""What may end a line, beside a line feed. Source: Unicode's UAX 14, and Python's splitlines."""


def tokenize(sql: str) -> Iterator[Token]:
    """The tokens of a text, without comments and white space."""
    return (token for token in tokenize_all(sql) if token.kind is not TokenKind.COMMENT)


def tokenize_all(sql: str) -> Iterator[Token]:
    """The tokens and comments of a text, without white space."""
    position = 0
    while match := _TOKEN.match(sql, position):
        position = match.end()
        if match["block"]:
            end = _end_of_comment(sql, position)
            position = end or len(sql)
            kind = TokenKind.COMMENT if end else TokenKind.UNCLOSED
            yield Token(kind, "", match.start(), position)
        elif not match["space"]:
            yield _token_of(match)


def find_unclear_line_end(sql: str) -> str | None:
    """A character in a `--` comment that may end it, such as U+2028; None if there is none.

    Without one, every server ends every comment at the same place.
    """
    for token in tokenize_all(sql):
        if token.kind is TokenKind.COMMENT and sql.startswith("--", token.start):
            comment = sql[token.start : token.end].rstrip()
            if found := next((c for c in comment if c in _LINE_ENDS), None):
                return f"U+{ord(found):04X}"
    return None


def is_stuck(number: Token, following: Token) -> bool:
    """Whether a word follows a number so closely that it is unclear where the number ends.

    `1ELSE` may be read as 1 and ELSE, or as 1E and LSE; `0xFOR` as 0xF and OR, or 0x and FOR.
    """
    is_unclear = number.text.startswith("0X") or number.text.rstrip("+-").endswith("E")
    return (
        number.kind is TokenKind.NUMBER
        and following.kind is TokenKind.WORD
        and number.end == following.start
        and is_unclear
    )


def _token_of(match: re.Match[str]) -> Token:
    span = match.span()
    text = match[0]
    if match["line"]:
        return Token(TokenKind.COMMENT, "", *span)
    if match["string"]:
        return Token(TokenKind.STRING if match["string_end"] else TokenKind.UNCLOSED, "", *span)
    if match["name"]:
        if not (match["quote_end"] or match["bracket_end"]):
            return Token(TokenKind.UNCLOSED, "", *span)
        closing = text[-1]
        return Token(TokenKind.NAME, "", *span, text[1:-1].replace(closing * 2, closing))
    if match["number"]:
        return Token(TokenKind.NUMBER, _fold(text), *span)
    if match["word"]:
        return Token(TokenKind.WORD, _fold(text), *span, text)
    return Token(TokenKind.SYMBOL, text, *span)


def _end_of_comment(sql: str, position: int) -> int | None:
    """The end of the comment that was opened before `position`; None if it is not closed."""
    depth = 1
    while depth and (edge := _COMMENT_EDGE.search(sql, position)):
        depth += 1 if edge[0] == "/*" else -1
        position = edge.end()
    return None if depth else position


def _fold(word: str) -> str:
    """In upper case; full-width letters become ordinary ones."""
    return unicodedata.normalize("NFKC", word).upper()
