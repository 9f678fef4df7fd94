"""Splits T-SQL into tokens. Pure; knows no grammar.

When in doubt it sees a word: SQL Server reads `1DROP` as the number 1 and the word DROP.
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
    """A number, with any letters that follow it without a space."""
    QUOTED = auto()
    """A string, or a name in brackets or quotes."""
    SYMBOL = auto()
    """Any other character."""


@dataclass(frozen=True, slots=True)
class Token:
    """One token; `text` is in upper case, and empty for what is quoted.

    `start` and `end` are its position in the SQL; they do not count for equality.
    """

    kind: TokenKind
    text: str
    start: int = field(default=0, compare=False)
    end: int = field(default=0, compare=False)


_TOKEN = re.compile(
    r"""(?P<space>\s+ | --[^\n]*)
    | (?P<comment>/\*)
    | (?P<quoted>'(?:[^']|'')*(?:'|\Z) | "(?:[^"]|"")*(?:"|\Z) | \[(?:[^\]]|\]\])*(?:\]|\Z))
    | (?P<number>\d[\w@#$.]*)
    | (?P<word>[@#\w][\w@#$]*)
    | (?P<symbol>.)""",
    re.VERBOSE | re.DOTALL,
)
_COMMENT_EDGE = re.compile(r"/\*|\*/")


def tokenize(sql: str) -> Iterator[Token]:
    """The tokens of a text, without comments and white space."""
    position = 0
    while match := _TOKEN.match(sql, position):
        position = match.end()
        match match.lastgroup:
            case "comment":
                position = _end_of_comment(sql, position)
            case "quoted":
                yield Token(TokenKind.QUOTED, "", *match.span())
            case "word":
                yield Token(TokenKind.WORD, _fold(match[0]), *match.span())
            case "number":
                yield Token(TokenKind.NUMBER, _fold(match[0]), *match.span())
            case "symbol":
                yield Token(TokenKind.SYMBOL, match[0], *match.span())


def _end_of_comment(sql: str, position: int) -> int:
    """The end of the comment that was opened before `position`. T-SQL nests comments."""
    depth = 1
    while depth and (edge := _COMMENT_EDGE.search(sql, position)):
        depth += 1 if edge[0] == "/*" else -1
        position = edge.end()
    return len(sql) if depth else position


def _fold(word: str) -> str:
    """In upper case; full-width letters become ordinary ones."""
    return unicodedata.normalize("NFKC", word).upper()
