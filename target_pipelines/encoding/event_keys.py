"""Finds the keys of a block of events: the JSON of their key columns, as `encode_key` makes it."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any

from msgspec import Raw, ValidationError

from program_kit.exact_json import decode_json, encode_json_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from target_pipelines.encoding.row_struct import RowStruct

    KeyFinder = Callable[[Sequence[Any]], Sequence[bytes | None]]

_NULL = b"null"


def key_finder(row_struct: RowStruct, key_columns: Sequence[str]) -> KeyFinder | None:
    """A function rows → keys, None for a row with a NULL in its key; None without key columns.

    It must see the rows before their values are moved, and raises ValidationError if a row lacks
    a key column.
    """
    fields = [row_struct.fields.get(column) for column in key_columns]
    if not fields:
        return None
    if None in fields:
        return _refuse_rows
    has_raw = any(field.type is Raw for field in fields if field)
    get = attrgetter(*(field.name for field in fields if field))
    is_single = len(fields) == 1

    def find(rows: Sequence[Any]) -> Sequence[bytes | None]:
        values: list[Any] = list(map(get, rows))
        if is_single:
            values = [(value,) for value in values]
        if has_raw:
            values = [tuple(map(_decoded, key)) for key in values]
        try:
            lines = encode_json_lines(values)
        except TypeError as error:  # UNSET
            raise ValidationError("a row lacks a key column") from error
        keys: list[bytes | None] = lines.split(b"\n")[:-1]  # type: ignore[assignment]
        if _NULL in lines:
            keys = [None if None in key else line for key, line in zip(values, keys, strict=True)]
        return keys

    return find


def _decoded(value: Any) -> Any:
    return decode_json(value) if isinstance(value, Raw) else value


def _refuse_rows(_rows: Sequence[Any]) -> Sequence[bytes | None]:
    raise ValidationError("the rows lack a key column")
