"""Reads text files of people: UTF-8 with or without a byte order mark; says what others are."""

from __future__ import annotations

import codecs
import json
import sys
from pathlib import Path
from typing import Any

from program_kit.json_limits import MAX_DIGITS

UNREADABLE = (OSError, ValueError, RecursionError)
"""The errors of reading a text or JSON file; see `describe_read_error`."""
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class NotUTF8(ValueError):  # noqa: N818 - reads as what is wrong
    """A file is not UTF-8 text. The message is half a sentence, without its content."""


def read_text(path: str | Path) -> str:
    """The text of a file; `-` is stdin. Raises OSError or NotUTF8."""
    return decode_text(sys.stdin.buffer.read() if str(path) == "-" else Path(path).read_bytes())


def read_json(path: str | Path) -> Any:
    """The value of a JSON file; `-` is stdin. Raises one of `UNREADABLE`."""
    return json.loads(read_text(path))


def decode_text(content: bytes) -> str:
    """The text of a file's content. Raises NotUTF8."""
    if content.startswith(_UTF_16):
        raise NotUTF8("it is UTF-16 text; save it as UTF-8")
    if b"\0" in content[:4]:
        raise NotUTF8("it is UTF-16 text, or damaged; save it as UTF-8")
    try:
        return without_mark(content).decode()
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        column = error.start - content.rfind(b"\n", 0, error.start)
        raise NotUTF8(f"it is not UTF-8 text at line {line}, column {column}") from None


def without_mark(content: bytes) -> bytes:
    """The beginning of a file without the byte order mark of UTF-8."""
    return content.removeprefix(codecs.BOM_UTF8)


def describe_read_error(error: Exception) -> str:
    """Why a text or JSON file cannot be read, without its content, which may hold a password."""
    if isinstance(error, json.JSONDecodeError):
        return f"invalid JSON at line {error.lineno}, column {error.colno}"
    if isinstance(error, NotUTF8):
        return str(error)
    if isinstance(error, RecursionError):
        return "its JSON is nested too deeply"
    if isinstance(error, ValueError):  # of int()
        return f"an integer has more than {MAX_DIGITS:,} digits"
    return getattr(error, "strerror", None) or type(error).__name__
