"""The fast way of records: lines of one stream, decoded, mapped and checked a block at a time.

A record is decoded into a struct whose fields are its columns. Most of them are only passed
through: they stay in the struct, which becomes the traits or properties of the call as it is. The
few others are placed one by one, as `mapping` does it. Where the result would not be the one of
`mapping`, the plan says so, for a stream or for a record, and the record goes that way.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from jsonschema_rs import validator_for
from msgspec import NODEFAULT, UNSET, Raw, UnsetType

from program_kit.exact_json import encode_json_lines
from target_pipelines.api.ordering_key import ordering_key_of
from target_pipelines.encoding.codegen import NULL, compile_row_function
from target_pipelines.encoding.mapping import MappingProblem, Plan, compile_plan

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from target_pipelines.api.call_types import CallType
    from target_pipelines.encoding.mapping import Step

_PYTHON_TYPES: Mapping[str, Any] = {"string": str, "integer": int, "boolean": bool}
_LOOKED_AT = str | int | bool
UNUSUAL_IN_NAMES = re.compile(r'["\\\x00-\x1f]')
"""Characters that msgspec does not take in the name of a field."""
_HARMLESS = {"type", "properties", "required", "anyOf", "allOf", "title", "description", "$schema"}
"""Keywords of an object's schema that a member which it does not mention cannot break."""


_NO_CALL = (b"null", b":{}}")
"""How JSON ends that is no call: of a row that was left out, or with an empty container."""


@dataclass(frozen=True, slots=True)
class PassedColumn:
    """A column that stays in the struct.

    Attributes:
        step: its way; the name in the call is the column's.
        type: what it is decoded as; `Raw` keeps the text of its value.
        default: stands for a value that is not there, and is not written.
        is_checked: whether the call's schema mentions it.
    """

    step: Step
    type: Any
    default: Any
    is_checked: bool

    @property
    def loses_raw_null(self) -> bool:
        """Whether a null must be told from other text, to be left out."""
        return self.type is Raw and not self.step.keeps_null


def compile_block_plan(
    call_type: CallType,
    columns: Sequence[str],
    *,
    stream: str,
    column_types: Mapping[str, str],
    keys: Collection[str],
    null_values: str,
    events: Collection[str],
) -> BlockPlan | None:
    """The fast way for records with these columns; None if there is none.

    Args:
        call_type: what they become.
        columns: their names, in order.
        stream: its name.
        column_types: JSON types, of those columns that have one.
        keys: columns that no record may lack.
        null_values: `omit` or `send`.
        events: names of track events that are checked more closely, which is not done here.
    """
    container = call_type.extra_columns
    if call_type.build or not container or not _ignores_others(call_type.schema, container):
        return None
    if any(UNUSUAL_IN_NAMES.search(column) for column in columns):
        return None
    try:
        plan = compile_plan(columns, call_type, null_values=null_values)
    except MappingProblem:
        return None
    inner = [group for group in plan.nested if group.parents[0] == container]
    steps = [step for group in inner for step in group.steps]
    if len(inner) != 1 or any(step.column != step.name for step in steps):
        return None  # the struct has one level, and the names of the columns
    if any(step.name in (container, "messageId") for step in plan.top.steps):
        return None
    mentioned = set(_names_inside(call_type.schema, container))
    passed = [
        _pass_column(step, column_types.get(step.name, ""), keys, is_checked=step.name in mentioned)
        for step in steps
    ]
    outer = replace(plan, nested=[group for group in plan.nested if group not in inner])
    return BlockPlan(call_type, stream, outer, passed, events)


def _pass_column(
    step: Step, column_type: str, keys: Collection[str], *, is_checked: bool
) -> PassedColumn:
    is_key = step.name in keys
    python_type = _PYTHON_TYPES.get(column_type, _LOOKED_AT if is_checked else Raw)
    if python_type is Raw:
        default: Any = NULL
    elif step.keeps_null:
        python_type, default = python_type | None | UnsetType, UNSET
    else:
        python_type, default = python_type if is_key else python_type | None, None
    return PassedColumn(step, python_type, NODEFAULT if is_key else default, is_checked)


class BlockPlan:
    """How the records with one set of columns become calls, many at once."""

    def __init__(
        self,
        call_type: CallType,
        stream: str,
        outer: Plan,
        passed: Sequence[PassedColumn],
        events: Collection[str],
    ) -> None:
        self._container = str(call_type.extra_columns)
        placed = [step.column for group in (outer.top, *outer.nested) for step in group.steps]
        names = [*placed, *(column.step.column for column in passed)]
        fields = {name: f"column_{number}" for number, name in enumerate(names)}
        row = msgspec.defstruct(
            "Row",
            [
                *((fields[name], _LOOKED_AT | None | UnsetType, UNSET) for name in placed),
                *((fields[c.step.column], c.type, c.default) for c in passed),
            ],
            rename={field: name for name, field in fields.items()},
            omit_defaults=True,
            forbid_unknown_fields=True,
            kw_only=True,
            gc=False,
        )
        message = msgspec.defstruct(
            "Message",
            [("type", Literal["RECORD"]), ("stream", Literal[stream]), ("record", row)],
            gc=False,
        )
        self._decode = msgspec.json.Decoder(message).decode_lines
        self._place = compile_row_function(
            outer,
            placed=[fields[name] for name in placed],
            checked=[(fields[c.step.column], c.step) for c in passed if c.is_checked],
            raw=[fields[c.step.column] for c in passed if c.loses_raw_null],
            always_written={fields[c.step.column] for c in passed if c.default is NODEFAULT},
            container=self._container,
            events=events,
        )
        self._is_valid = validator_for(dict(call_type.schema), validate_formats=True).is_valid
        self._are_valid = validator_for(
            {"type": "array", "items": dict(call_type.schema)}, validate_formats=True
        ).is_valid

    def map(self, block: bytes) -> tuple[list[bytes], list[str]]:
        """The calls of a block of RECORDs as JSON without messageIds, and the ordering key of each.

        The JSON is empty for a record that must go the other way. Raises one of `INVALID_JSON` if
        a line is no record of this stream with these columns.
        """
        if not block.isascii():
            block.decode()  # the text of raw values is not looked at
        messages: list[Any] = self._decode(block)
        rows = [message.record for message in messages]
        calls = list(map(self._place, rows))
        if not self._are_valid(calls):
            calls = [call if self._is_valid(call) else None for call in calls]
        keys = [ordering_key_of(call) if call else "" for call in calls]
        container = self._container
        for call, row in zip(calls, rows, strict=True):
            if call:
                call[container] = row
        bodies = encode_json_lines(calls).split(b"\n")[:-1]
        return [b"" if body.endswith(_NO_CALL) else body for body in bodies], keys


def _ignores_others(schema: Mapping[str, Any], container: str | None) -> bool:
    """Whether members that an object's schema does not mention cannot break it."""
    inner = schema.get("properties", {}).get(container, {})
    branches = [*schema.get("anyOf", ()), *schema.get("allOf", ())]
    return (
        schema.keys() <= _HARMLESS
        and (container is None or _ignores_others(inner, None))
        and all(_ignores_others(branch, container) for branch in branches)
    )


def _names_inside(schema: Mapping[str, Any], container: str) -> Iterator[str]:
    """All names of the container's members that a schema mentions, at any depth."""
    yield from _names_in(schema.get("properties", {}).get(container))
    for branch in (*schema.get("anyOf", ()), *schema.get("allOf", ())):
        yield from _names_inside(branch, container)


def _names_in(schema: Any) -> Iterator[str]:
    """All names of members that a schema mentions, at any depth."""
    if isinstance(schema, dict):
        yield from schema.get("properties", {})
        yield from schema.get("required", ())
        for value in schema.values():
            yield from _names_in(value)
    elif isinstance(schema, (list, tuple)):
        for value in schema:
            yield from _names_in(value)
