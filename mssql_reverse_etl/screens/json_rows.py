"""Prints the rows of a screen as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from program_kit.console import print_plain
from program_kit.exact_json import encode_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def print_json(rows: Iterable[Mapping[str, Any]]) -> None:
    """Print one JSON array, a row per line; numbers keep their digits. Raises BrokenPipeError."""
    lines = ",\n".join(encode_json(row).decode() for row in rows)
    print_plain(f"[\n{lines}\n]\n" if lines else "[]\n")
