"""The one function through which text of others goes to people: rows, servers, plugins, APIs."""

from __future__ import annotations

import unicodedata

_ESCAPED = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Controls, invisible format characters such as those that reverse the direction of writing,
halves of surrogate pairs, and what ends a line."""


def printable(text: str) -> str:
    """The text with characters escaped that would control a terminal or forge a line of a log."""
    if text.isprintable():
        return text
    return "".join(_escape(c) if unicodedata.category(c) in _ESCAPED else c for c in text)


def _escape(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode()
