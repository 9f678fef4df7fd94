"""Reads lines that are almost JSON, as some taps write them. Pure.

NaN and infinities are null, and what is no character is U+FFFD. Control characters in strings and a
byte order mark are harmless.
"""

from __future__ import annotations

import json
import re
from typing import Any

from program_kit.exact_json import Number
from program_kit.json_limits import MAX_DIGITS
from target_pipelines.singer.unreadable import UnreadableLine

_REPLACEMENT = "\ufffd"
_BYTE_ORDER_MARK = "\ufeff"
_SURROGATES = re.compile("[\ud800-\udfff]")
_decode = json.JSONDecoder(strict=False, parse_float=Number, parse_constant=lambda _: None).decode


def repair(line: bytes) -> tuple[Any, int]:
    """The value of a line, and how many characters were replaced. Raises UnreadableLine."""
    text = line.decode("utf-8", "replace").strip().lstrip(_BYTE_ORDER_MARK)
    replaced = text.count(_REPLACEMENT) - line.count(_REPLACEMENT.encode())
    try:
        value = _decode(text)
    except RecursionError:
        raise UnreadableLine("it is nested too deeply") from None
    except json.JSONDecodeError:
        raise UnreadableLine("it is not JSON") from None
    except ValueError:  # of int()
        raise UnreadableLine(f"an integer has more than {MAX_DIGITS:,} digits") from None
    value, surrogates = _replace_surrogates(value)
    return value, replaced + surrogates


def _replace_surrogates(value: Any) -> tuple[Any, int]:
    """The value with U+FFFD for halves of surrogate pairs, and how many there were."""
    count = 0

    def walk(item: Any) -> Any:
        nonlocal count
        if isinstance(item, str):
            item, here = _SURROGATES.subn(_REPLACEMENT, item)
            count += here
        elif isinstance(item, list):
            return [walk(each) for each in item]
        elif isinstance(item, dict):
            return {walk(name): walk(each) for name, each in item.items()}
        return item

    return walk(value), count
