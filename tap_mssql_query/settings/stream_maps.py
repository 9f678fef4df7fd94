"""The setting `stream_maps`: its one form, and names in it that no sync or column has. Pure."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from program_kit.json_schema import nearest_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

NULL = "__NULL__"
_ELSE = "__else__"
_SOURCE = "__source__"


def plain_stream_maps(maps: Any) -> Any:
    """Stream → `null` or an object of columns, whose names may have dots.

    Meltano splits names at their dots: `{"users": {"traits": {"email": …}}}` in a file, and
    `{"users.traits.email": …}` in the environment. A sync's name has none, and a map has no objects
    in it, so both mean the column `traits.email` of `users`. Anything but an object is kept.
    """
    if not isinstance(maps, dict):
        return maps
    plain: dict[str, Any] = {}
    for path, value in _leaves(maps):
        stream, *column = path.split(".", maxsplit=1)
        if not column:
            plain.setdefault(stream, value)
        elif isinstance(entry := plain.setdefault(stream, {}), dict):
            entry[column[0]] = value
    return plain


def _leaves(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, item in value.items():
        if isinstance(item, dict):
            if not item:
                yield f"{prefix}{name}", {}
            yield from _leaves(item, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", item


def restore_nulls(maps: Any, told: Any) -> Any:
    """The maps with the nulls that Meltano left out of the configuration file.

    `told` is the same setting as Meltano's environment variable has it, with its nulls. It counts
    only if the two agree in everything else.
    """
    full = plain_stream_maps(told)
    own = plain_stream_maps(maps) or {}
    if not isinstance(full, dict) or not isinstance(own, dict):
        return maps
    return full if _without_nulls(full) == _without_nulls(own) else own


def _without_nulls(maps: Mapping[str, Any]) -> dict[tuple[str, str], Any]:
    return {
        (stream, column): value
        for stream, columns in maps.items()
        if isinstance(columns, dict)
        for column, value in columns.items()
        if value is not None
    }


def find_unknown_syncs(maps: Any, syncs: Sequence[str]) -> Iterator[str]:
    """A sentence for each map of an unknown sync: its rows would be sent as they are."""
    for key, columns in (maps if isinstance(maps, dict) else {}).items():
        source = columns.get(_SOURCE, key) if isinstance(columns, dict) else key
        if key == _ELSE or not isinstance(source, str):
            continue
        if not any(fnmatchcase(sync, source) for sync in syncs):
            yield (
                f"`stream_maps` has an entry for `{source}`, but no sync is called that"
                f"{did_you_mean(source, syncs)}. Correct the name, or remove the entry."
            )


def find_unknown_removals(maps: Any, sync: str, columns: Sequence[str]) -> Iterator[str]:
    """A sentence for each column that a map of this sync removes, and that its result lacks.

    Such a name is misspelt, or the column was renamed: sending its values would be a leak. A map
    for a pattern of syncs may name columns that only some of them have.
    """
    for name, value in _entries(maps, sync):
        if value in (None, NULL) and name not in columns:
            yield (
                f"`stream_maps` removes the column `{name}`, but its result has none of that name"
                f"{did_you_mean(name, columns)}. Correct the name, or remove the line; until then "
                "nothing of it is sent."
            )


def find_doubtful_additions(maps: Any, sync: str, columns: Sequence[str]) -> Iterator[str]:
    """A sentence for each column that a map adds under almost the name of another, which stays."""
    for name, value in _entries(maps, sync):
        nearest = nearest_column(name, columns)
        if isinstance(value, str) and value != NULL and name not in columns and nearest:
            yield (
                f"`stream_maps` adds the column `{name}`; `{nearest}` is still sent as it is. "
                "Correct the name if it was meant to replace it."
            )


def _entries(maps: Any, sync: str) -> Iterator[tuple[str, Any]]:
    """Columns and values of the map of exactly this sync, unless all others are removed anyway."""
    entry = maps.get(sync) if isinstance(maps, dict) else None
    if not isinstance(entry, dict) or _ELSE in entry or _SOURCE in entry:
        return
    yield from ((name, value) for name, value in entry.items() if not name.startswith("__"))


def did_you_mean(name: str, known: Sequence[str]) -> str:
    """A hint at the known name that a mistyped one resembles; empty if there is none."""
    nearest = nearest_column(name, known)
    return f" (did you mean `{nearest}`?)" if nearest else ""


def nearest_column(name: str, columns: Sequence[str]) -> str | None:
    """The column that a name resembles: almost the same, or the same after the last dot."""
    if nearest := nearest_name(name, columns):
        return nearest
    last = name.rpartition(".")[2].casefold()
    return next((c for c in columns if c.rpartition(".")[2].casefold() == last), None)
