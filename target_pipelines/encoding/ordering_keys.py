"""Finds the ordering keys of records without making calls of them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from msgspec import NODEFAULT, UNSET, Raw, UnsetType

from program_kit.exact_json import INVALID_JSON, decode_object
from target_pipelines.api.ordering_key import ORDERING_KEY_PATHS, ordering_key_of
from target_pipelines.encoding.batch_encoder import UNUSUAL_IN_NAMES
from target_pipelines.encoding.codegen import NULL, compile_row_function
from target_pipelines.encoding.mapping import Group, Mapper, MappingProblem, Plan, compile_plan

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from target_pipelines.api.call_types import Json
    from target_pipelines.singer.streams import Stream

_KEY_TYPES = str | int | bool | None | UnsetType


class OrderingKeys:
    """The ordering keys of one stream, the same as those of its calls.

    A call type's `build` may set any key, so all its records get the same: the stream's name.
    """

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._is_built = stream.call_type.build is not None
        self._mapper = Mapper(stream.call_type, null_values="omit")
        self._decode: Callable[[bytes], list[Any]] | None = None
        self._place: Callable[[Any], Json | None]

    def find(self, record: Json) -> str:
        """The ordering key of a record; empty if it becomes no call."""
        if self._is_built:
            return self._stream.name
        try:
            return ordering_key_of(self._mapper.map(record) or {})
        except MappingProblem:
            return ""

    def find_all(self, lines: Sequence[bytes]) -> list[str] | None:
        """The keys of RECORDs with the columns of the first; None if one differs."""
        if self._is_built:
            return None
        block = b"".join(lines)
        try:
            if not block.isascii():
                block.decode()
            decode = self._decode or self._add_decoder(decode_object(lines[0])["record"])
            rows = [message.record for message in decode(block)] if decode else None
        except (*INVALID_JSON, KeyError, MappingProblem):
            return None
        return rows and [
            self.find(decode_object(line)["record"]) if call is None else ordering_key_of(call)
            for call, line in zip(map(self._place, rows), lines, strict=True)
        ]

    def _add_decoder(self, record: Json) -> Callable[[bytes], list[Any]] | None:
        if any(UNUSUAL_IN_NAMES.search(column) for column in record):
            return None
        plan = _only_ordering_key(
            compile_plan(tuple(record), self._stream.call_type, null_values="omit")
        )
        key_columns = [step.column for group in (plan.top, *plan.nested) for step in group.steps]
        fields = {column: f"column_{number}" for number, column in enumerate(record)}
        row = msgspec.defstruct(
            "Row",
            [
                (fields[column], _KEY_TYPES, UNSET)
                if column in key_columns
                else (fields[column], Raw, NODEFAULT if column in self._stream.keys else NULL)
                for column in record
            ],
            rename={field: column for column, field in fields.items()},
            forbid_unknown_fields=True,
            kw_only=True,
            gc=False,
        )
        message = msgspec.defstruct(
            "Message",
            [("type", Literal["RECORD"]), ("stream", Literal[self._stream.name]), ("record", row)],
            gc=False,
        )
        self._decode = msgspec.json.Decoder(message).decode_lines
        self._place = compile_row_function(plan, placed=[fields[column] for column in key_columns])
        return self._decode


def _only_ordering_key(plan: Plan) -> Plan:
    """The part of a plan that can change the ordering key."""

    def only_keys(group: Group) -> Group:
        steps = [s for s in group.steps if (*group.parents, s.name) in ORDERING_KEY_PATHS]
        return replace(group, steps=steps)

    nested = [group for group in map(only_keys, plan.nested) if group.steps]
    return replace(plan, top=only_keys(plan.top), nested=nested)
