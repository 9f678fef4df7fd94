"""Finds the ordering keys of records without making calls of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from program_kit.exact_json import INVALID_JSON, decode_object
from target_pipelines.api.calls import lines_of
from target_pipelines.api.ordering_key import ORDERING_KEY_PATHS, ordering_key_of
from target_pipelines.encoding.codegen import compile_row_function
from target_pipelines.encoding.fallback import Fallback, needs_escaping
from target_pipelines.encoding.mapping import Mapper, MappingProblem, compile_plan
from target_pipelines.encoding.row_struct import MOVED, RowStruct, raw_field

if TYPE_CHECKING:
    from collections.abc import Callable

    from target_pipelines.api.call_types import Json
    from target_pipelines.singer.streams import Stream

    BlockMapper = Callable[[bytes], list[Json | Fallback]]


class OrderingKeys:
    """The ordering keys of one stream, the same as those of its calls.

    A call type's `build` may set any key, and an alias is about two persons: all records of such a
    stream get the same, its name.
    """

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._is_one = stream.call_type.build is not None or stream.is_alias
        self._mapper = Mapper(stream.call_type, null_values="omit")
        self._map_block: BlockMapper | None = None

    def find(self, record: Json) -> str:
        """The ordering key of a record; empty if it becomes no call."""
        if self._is_one:
            return self._stream.name
        try:
            return ordering_key_of(self._mapper.map(record) or {})
        except MappingProblem:
            return ""

    def find_all(self, block: bytes) -> list[str] | None:
        """The keys of a block of RECORDs with the columns of the first.

        None if a line differs, or lacks its key columns: then they are checked one by one.
        """
        if self._is_one:
            return None
        try:
            map_block = self._map_block or self._compile(block)
            calls = map_block(block) if map_block else None
        except (*INVALID_JSON, KeyError, MappingProblem):
            return None
        if calls is None:
            return None
        keys = [ordering_key_of(call) if type(call) is dict else None for call in calls]
        if None not in keys:
            return cast("list[str]", keys)
        rest = {
            number: decode_object(line)["record"]
            for number, (key, line) in enumerate(zip(keys, lines_of(block), strict=True))
            if key is None
        }
        if not all(map(self._stream.has_keys, rest.values())):
            return None
        return [self.find(rest[number]) if key is None else key for number, key in enumerate(keys)]

    def _compile(self, block: bytes) -> BlockMapper | None:
        """A function block → calls, of the fields alone that make the key."""
        record = decode_object(block[: block.find(b"\n") + 1] or block)["record"]
        if not isinstance(record, dict) or needs_escaping(record):
            return None
        if not self._stream.has_keys(record):
            return None
        plan = compile_plan(tuple(record), self._stream.call_type, null_values="omit")
        plan = plan.restrict(ORDERING_KEY_PATHS)
        moved = {step.column for group in plan.groups for step in group.steps}
        row_struct = RowStruct(
            {
                column: MOVED if column in moved else raw_field(is_key=column in self._stream.keys)
                for column in record
            },
            stream=self._stream.name,
        )
        map_row = compile_row_function(plan, row_struct)
        self._map_block = lambda block: list(map(map_row, row_struct.decode(block)))
        return self._map_block
