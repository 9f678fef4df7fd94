"""New inputs from two existing ones: parts are cut, exchanged and corrupted. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import random

_SCALARS: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    2**63,
    1e308,
    -0.0,
    "",
    "\0",
    "é😀",
    "9" * 40,
    [],
    {},
)
_BYTES = (b"", b"\n", b"\0", b'"', b"\\", b"[", b"}", b"\xff", b"\xed\xa0\x80", b"null", b"1e999")


def vary(value: Any, donor: Any, rng: random.Random) -> Any:
    """A variation of `value` with parts of `donor` or odd values; its type stays.

    A tuple keeps its length and the types of its elements.
    """
    match value:
        case tuple():
            place = rng.randrange(len(value))
            return (
                *value[:place],
                vary(value[place], donor[place], rng),
                *value[place + 1 :],
            )
        case bytes():
            own = donor if isinstance(donor, bytes) else b""
            return _vary_lines(value, own, rng) if rng.random() < 0.9 else _cut(value, own, rng)
        case str():
            own = donor.encode("utf-8", "replace") if isinstance(donor, str) else b""
            return _cut(value.encode("utf-8", "replace"), own, rng).decode("utf-8", "replace")
        case list():
            return _vary_list(value, donor if isinstance(donor, list) else [donor], rng)
        case dict():
            return _vary_object(value, donor if isinstance(donor, dict) else {}, rng)
        case _:
            return donor if type(donor) is type(value) else value


def _vary_any(value: Any, donor: Any, rng: random.Random) -> Any:
    """A variation within a list or object, where the type may change."""
    kept = rng.random()
    if kept < 0.25:
        return rng.choice(_SCALARS)
    return donor if kept < 0.4 else vary(value, donor, rng)


def _vary_list(value: list[Any], donor: list[Any], rng: random.Random) -> list[Any]:
    place = rng.randint(0, len(value))
    other = rng.choice(donor) if donor else rng.choice(_SCALARS)
    if place == len(value) or rng.random() < 0.3:
        return [*value[:place], other, *value[place + rng.randint(0, 1) :]]
    return [*value[:place], _vary_any(value[place], other, rng), *value[place + 1 :]]


def _vary_object(value: dict[str, Any], donor: dict[str, Any], rng: random.Random) -> Any:
    inner = [name for name, entry in value.items() if isinstance(entry, dict | list) and entry]
    if inner and rng.random() < 0.7:
        name = rng.choice(inner)
        return {**value, name: vary(value[name], donor.get(name), rng)}
    names = [*value, *donor] or [""]
    name = rng.choice(names)
    if name not in value or rng.random() < 0.15:
        rest = {key: entry for key, entry in value.items() if key != name}
        return {**rest, name: donor[name]} if name in donor else rest
    other = donor.get(name, rng.choice([*donor.values(), *_SCALARS]))
    return {**value, name: _vary_any(value[name], other, rng)}


def _vary_lines(value: bytes, donor: bytes, rng: random.Random) -> bytes:
    """Lines of both, one of them varied, as JSON if it is JSON."""
    lines, others = value.split(b"\n"), donor.split(b"\n")
    place = rng.randrange(len(lines))
    lines[place] = _vary_json(lines[place], rng.choice(others), rng)
    if rng.random() < 0.3:
        lines.insert(rng.randint(0, len(lines)), rng.choice(others))
    return b"\n".join(lines)


def _vary_json(line: bytes, donor: bytes, rng: random.Random) -> bytes:
    try:
        value, other = json.loads(line), json.loads(donor)
        varied = vary(value, other, rng) if rng.random() < 0.9 else _vary_any(value, other, rng)
        return json.dumps(varied).encode()
    except (ValueError, RecursionError):
        return _cut(line, donor, rng)


def _cut(value: bytes, donor: bytes, rng: random.Random) -> bytes:
    """Replace a piece of `value` with a piece of `donor` or with odd bytes."""
    start, end = sorted(rng.randint(0, len(value)) for _ in range(2))
    if rng.random() < 0.5:
        end = min(end, start + rng.randint(0, 2))
    first, last = sorted(rng.randint(0, len(donor)) for _ in range(2))
    piece = donor[first:last] if rng.random() < 0.5 else rng.choice(_BYTES)
    return value[:start] + piece + value[end:]
