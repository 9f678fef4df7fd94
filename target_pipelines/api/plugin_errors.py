"""Describes exceptions of a plugin's code: which one, and where; never a value of a row."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from typing import Any


def describe_exception(
    error: BaseException, function: Callable[..., Any] | None, names: Collection[str] = ()
) -> str:
    """Such as "KeyError (no `plan`) in line 12 of acme_calls.py".

    Args:
        error: what the function raised.
        function: the plugin's function; the line is the last one in its file. If it is unknown,
            the line is the one that raised.
        names: names that may be shown as the missing key of a KeyError.
    """
    name = type(error).__name__
    key = error.args[0] if isinstance(error, KeyError) and error.args else None
    if isinstance(key, str) and key in names:
        name = f"{name} (no `{key}`)"
    line = _last_line(error, function)
    return f"{name} in {line}" if line else name


def _last_line(error: BaseException, function: Callable[..., Any] | None) -> str:
    """The last line of the function's file that the error passed; empty if it is unknown."""
    code = getattr(function, "__code__", None)
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not code or frame.filename == code.co_filename]
    if not own:
        return ""
    return f"line {own[-1].lineno} of {Path(own[-1].filename).name}"
