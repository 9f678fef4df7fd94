"""Compiles a plan into a Python function on row structs, faster than a loop over the columns.

The source of a generated function contains field numbers and names of constants, never a name or a
value from the input.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import UNSET, Raw

from target_pipelines.encoding.conversions import to_text
from target_pipelines.encoding.fallback import Fallback
from target_pipelines.encoding.mapping import MappingProblem, put_values
from target_pipelines.encoding.row_struct import NULL

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from target_pipelines.api.call_types import Json
    from target_pipelines.encoding.mapping import Group, Plan, Step
    from target_pipelines.encoding.row_struct import Field, RowStruct

    RowFunction = Callable[[Any], Json | Fallback]


def compile_row_function(
    plan: Plan,
    row_struct: RowStruct,
    *,
    container: str = "",
    checked: Collection[str] = (),
    events: Collection[str] = (),
) -> RowFunction:
    """The function row → call that executes the plan.

    The columns of the container stay in the row. The call has in their place an object with those
    of them that are checked, or nothing if the row has no values.

    Args:
        plan: all of its columns are in the struct.
        row_struct: the rows' struct.
        container: `traits` or `properties`; empty if no column stays.
        checked: columns of the container that the call's schema mentions.
        events: values of the field `event` that cause a fallback.
    """
    source = _Source(row_struct)
    source.add(1, f"call = {{'type': {source.constant(plan.api_type)}}}")
    source.move(plan.top, "call")
    mapped = {step.column for group in plan.groups for step in group.steps}
    for column, field in row_struct.fields.items():
        if column not in mapped:
            source.add(1, f"row.{field.name} = UNSET")
    if events:
        event, known = source.constant("event"), source.constant(frozenset(events))
        source.add(1, f"if call.get({event}) in {known}: return EVENT_SCHEMA")
    for group in plan.nested:
        if group.parents == (container,):
            source.keep(group, checked)
            source.add(1, f"if row != EMPTY: call[{source.constant(container)}] = values")
        else:
            source.add(1, "values = {}")
            source.move(group, "values")
            put = f"put(call, {source.constant(group)}, values)"
            source.add(1, f"if values and not {put}: return OBJECT_CONFLICT")
    return source.compile()


class _Source:
    """The source of the function, line by line, and its constants."""

    def __init__(self, row_struct: RowStruct) -> None:
        self._fields = row_struct.fields
        self._lines = ["def map_row(row):"]
        self._constants: dict[str, Any] = {
            "UNSET": UNSET,
            "NULL": NULL,
            "EMPTY": row_struct.empty,
            "put": _put,
            "to_text": to_text,
            **Fallback.__members__,
        }

    def add(self, depth: int, line: str) -> None:
        self._lines.append(f"{'    ' * depth}{line}")

    def constant(self, value: Any) -> str:
        name = f"constant_{len(self._constants)}"
        self._constants[name] = value
        return name

    def move(self, group: Group, target: str) -> None:
        """Move the values of a group from the row to an object of the call."""
        for step in group.steps:
            field = self._fields[step.column].name
            self.add(1, f"value = row.{field}")
            self.add(1, "if value is UNSET: return MISSING_COLUMN")
            self.add(1, f"row.{field} = UNSET")
            self.add(1, "if value is not None:")
            if step.convert is to_text:
                self.add(2, "value = str(value) if type(value) is int else to_text(value)")
            elif step.convert:
                self.add(2, f"value = {self.constant(step.convert)}(value)")
            self.add(2, f"if value is not None: {target}[{self.constant(step.name)}] = value")

    def keep(self, group: Group, checked: Collection[str]) -> None:
        """Leave the values of a group in the row; copy those that are checked to `values`."""
        is_checked = any(step.column in checked for step in group.steps)
        self.add(1, "values = {}" if is_checked else f"values = {self.constant({})}")
        for step in group.steps:
            field = self._fields[step.column]
            if step.column in checked:
                self._copy(step, field)
            elif field.type is Raw and not step.keeps_null:
                self.add(1, f"if row.{field.name} == NULL: {_omit(field)}")

    def _copy(self, step: Step, field: Field) -> None:
        self.add(1, f"value = row.{field.name}")
        if step.convert:
            self.add(1, "if value is not None and value is not UNSET:")
            self.add(2, f"row.{field.name} = value = {self.constant(step.convert)}(value)")
        absent = "UNSET" if step.keeps_null else "None"
        self.add(1, f"if value is not {absent}: values[{self.constant(step.name)}] = value")
        if field.is_always_encoded and not step.keeps_null:
            self.add(1, "if value is None: return NULL_KEY")

    def compile(self) -> RowFunction:
        namespace: dict[str, Any] = {}
        exec("\n".join([*self._lines, "    return call"]), self._constants, namespace)  # noqa: S102 - see above
        map_row: RowFunction = namespace["map_row"]
        return map_row


def _omit(field: Field) -> str:
    return "return NULL_KEY" if field.is_always_encoded else f"row.{field.name} = NULL"


def _put(call: Json, group: Group, values: Json) -> bool:
    """Put an object's members in their place; False if a value that is no object is there."""
    try:
        put_values(call, group, values)
    except MappingProblem:
        return False
    return True
