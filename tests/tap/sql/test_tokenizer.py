"""Two readings of a query: ours, and that of every server that ends lines elsewhere."""

from __future__ import annotations

import random
import re

import pytest

from tap_mssql_query.sql.select_only import find_violations
from tap_mssql_query.sql.tokenizer import TokenKind, tokenize

LINE_ENDS = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"
PIECES = [
    *LINE_ENDS,
    *(
        "\r\n",
        "--",
        "/*",
        "*/",
        "'",
        "''",
        '"',
        "[",
        "]",
        "]]",
        " ",
        "a",
        "1",
        ",",
        "N'",
        "- ",
        "/",
    ),
    *("SELECT 1 AS a", " FROM t ", " DROP TABLE t ", "SELECT 2", "1DROP ", "\0"),
]
_CLOSINGS = {"'": "'", '"': '"', "[": "]"}


def _visible(sql: str, line_ends: str) -> str:
    """What a server sees that ends lines at these characters; read character by character."""
    seen, at = [], 0
    while at < len(sql):
        if sql.startswith("--", at):
            while at < len(sql) and sql[at] not in line_ends:
                at += 1
        elif sql.startswith("/*", at):
            depth, at = 1, at + 2
            while at < len(sql) and depth:
                edge = sql[at : at + 2]
                depth += (edge == "/*") - (edge == "*/")
                at += 2 if edge in ("/*", "*/") else 1
            seen.append(" ")
        elif closing := _CLOSINGS.get(sql[at]):
            at += 1
            while at < len(sql):
                if sql.startswith(closing * 2, at):
                    at += 2
                elif sql[at] == closing:
                    break
                else:
                    at += 1
            at += 1
            seen.append(" quoted ")
        else:
            seen.append(sql[at])
            at += 1
    return " ".join("".join(seen).split())


def _random_text(seed: int) -> str:
    choose = random.Random(seed)
    return "SELECT 1 AS a" + "".join(choose.choices(PIECES, k=choose.randint(1, 9)))


def test_no_server_sees_more_in_a_query_than_the_tap() -> None:
    """Of what is not refused, every server sees the same text, without a writing word."""
    accepted = [sql for sql in map(_random_text, range(20_000)) if not find_violations(sql)]
    assert len(accepted) > 200
    assert any("--" in sql for sql in accepted)
    for sql in accepted:
        readings = {
            _visible(sql, ends) for ends in ("\n", *("\n" + c for c in LINE_ENDS), LINE_ENDS)
        }
        assert len(readings) == 1, ascii(sql)
        assert not re.search(r"\b[0-9]*DROP\b", readings.pop()), ascii(sql)


@pytest.mark.parametrize("line_end", LINE_ENDS[1:], ids=ascii)
def test_line_end_that_is_unclear_is_refused(line_end: str) -> None:
    """Whatever it hides or shows, also behind white space or in a second comment."""
    for comment in ("-- x{}DROP TABLE t", "-- x{}y", "-- {}/*\n-- {}*/", "--{}{}x"):
        sql = f"SELECT 1 AS a {comment.format(line_end, line_end)}"
        assert "may or may not end the line" in " ".join(find_violations(sql)), comment


def test_words_after_numbers_are_seen() -> None:
    """A number ends where a word begins."""
    tokens = [(t.kind.name, t.text) for t in tokenize("1SELECT 2.5e3x 0x1F 3.from[a]N'b'")]
    assert tokens == [
        ("NUMBER", "1"), ("WORD", "SELECT"), ("NUMBER", "2.5E3"), ("WORD", "X"),
        ("NUMBER", "0X1F"), ("NUMBER", "3."), ("WORD", "FROM"), ("NAME", ""), ("WORD", "N"),
        ("STRING", ""),
    ]  # fmt: skip


def test_names_are_read_without_their_quotes() -> None:
    """Of both kinds."""
    names = [token.name for token in tokenize('[a]]b] . "c""d" . e')]
    assert names == ["a]b", "", 'c"d', "", "e"]
    assert [t.kind for t in tokenize("'a")] == [TokenKind.UNCLOSED]
