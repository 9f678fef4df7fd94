"""Structs that records are decoded into: one field for each column.

Decoding a block into structs is much faster than into dicts, and a column whose value the call only
passes on keeps its JSON text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from msgspec import NODEFAULT, UNSET, Raw, UnsetType

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

NULL = Raw(b"null")
"""The default of a raw field if nulls are omitted: a field that *is* this object is not encoded."""
ABSENT = Raw(b"")
"""The default of a raw field if nulls are sent: only a missing column leaves it out."""
SCALAR = str | int | bool
"""The types of values that are converted or checked; other records are left to the row encoder."""
MOVED: tuple[Any, Any] = (SCALAR | None | UnsetType, UNSET)
"""Type and default of a column whose value leaves the row."""


@dataclass(frozen=True, slots=True)
class Field:
    """A column's field in a row struct.

    Attributes:
        name: in the struct.
        type: what the value is decoded as; `Raw` keeps its JSON text.
        default: of a missing value; a field that equals it is not encoded.
    """

    name: str
    type: Any
    default: Any

    @property
    def is_always_encoded(self) -> bool:
        """Whether no value can leave the field out."""
        return self.default is NODEFAULT


class RowStruct:
    """A struct for the records with one set of columns.

    Attributes:
        fields: by column.
        empty: a row without values; None if a field has no default.
    """

    def __init__(self, types: Mapping[str, tuple[Any, Any]], *, stream: str | None = None) -> None:
        """Define the struct.

        Args:
            types: type and default by column.
            stream: the RECORDs' stream, where that is to be checked.
        """
        self.fields = {
            column: Field(f"column_{number}", *type_and_default)
            for number, (column, type_and_default) in enumerate(types.items())
        }
        row = msgspec.defstruct(
            "Row",
            [(field.name, field.type, field.default) for field in self.fields.values()],
            rename={field.name: column for column, field in self.fields.items()},
            omit_defaults=True,
            forbid_unknown_fields=True,
            kw_only=True,
            gc=False,
        )
        has_defaults = not any(field.is_always_encoded for field in self.fields.values())
        self.empty = row() if has_defaults else None
        self._decode = _message_decoder(row, stream)

    def decode(self, block: bytes) -> list[Any]:
        """The rows of a block of RECORDs. Raises one of `INVALID_JSON`."""
        if not block.isascii():
            block.decode()  # raw values are not checked for valid UTF-8
        return [message.record for message in self._decode(block)]


def raw_field(*, is_key: bool, keeps_null: bool = False) -> tuple[Any, Any]:
    """Type and default of a column whose JSON text is passed on; a key must be there."""
    if is_key:
        return Raw, NODEFAULT
    return Raw, ABSENT if keeps_null else NULL


def _message_decoder(row: Any, stream: str | None) -> Callable[[bytes], list[Any]]:
    head = [] if stream is None else [("type", Literal["RECORD"]), ("stream", Literal[stream])]
    message = msgspec.defstruct("Message", [*head, ("record", row)], gc=False)
    return msgspec.json.Decoder(message).decode_lines
