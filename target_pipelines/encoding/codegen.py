"""Generates the function that takes a decoded row apart: what a loop over the columns would do.

The text of a generated function holds numbers of fields and constants, never a name or a value
from outside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import UNSET, Raw

from target_pipelines.encoding.conversions import to_text
from target_pipelines.encoding.mapping import MappingProblem, descend

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from target_pipelines.api.call_types import Json
    from target_pipelines.encoding.mapping import Group, Plan, Step

NULL = Raw(b"null")
"""Stands for a raw value that is not there."""


def compile_row_function(
    outer: Plan,
    *,
    placed: Sequence[str],
    checked: Sequence[tuple[str, Step]] = (),
    raw: Sequence[str] = (),
    always_written: Collection[str] = (),
    container: str = "",
    events: Collection[str] = (),
) -> Callable[[Any], Json | None]:
    """The function row → call, of what is looked at; the rest stays in the row.

    It returns None for a row that it cannot do justice to.

    Args:
        outer: the way of the columns that leave the row, in the order of `placed`.
        placed: fields of the row that leave it.
        checked: fields that stay and are shown in the container, with their steps.
        raw: fields that stay, and are unset if their text is null.
        always_written: fields that stay and have no value that would leave them out.
        container: the name of the container.
        events: values of the field `event` whose rows are not for it.
    """
    source = _Source()
    source.add(1, f"call = {{'type': {source.constant(outer.api_type)}}}")
    fields = iter(placed)
    for step in outer.top.steps:
        source.take(next(fields), step, "call")
        if events and step.name == "event":
            source.add(1, f"if value in {source.constant(frozenset(events))}: return None")
    for group in outer.nested:
        source.add(1, "values = {}")
        for step in group.steps:
            source.take(next(fields), step, "values")
        source.add(1, f"if values and not put(call, {source.constant(group)}, values): return None")
    if checked:
        source.add(1, f"call[{source.constant(container)}] = values = {{}}")
    for field, step in checked:
        source.show(field, step)
        if field in always_written and not step.keeps_null:
            source.add(1, "if value is None: return None")
    for field in raw:
        then = "return None" if field in always_written else f"row.{field} = NULL"
        source.add(1, f"if row.{field} == NULL: {then}")
    return source.compile()


class _Source:
    """The text of the function, line by line, and its constants."""

    def __init__(self) -> None:
        self._lines = ["def place(row):"]
        self._constants: dict[str, Any] = {
            "UNSET": UNSET,
            "NULL": NULL,
            "put": _put,
            "to_text": to_text,
        }

    def add(self, depth: int, line: str) -> None:
        self._lines.append(f"{'    ' * depth}{line}")

    def constant(self, value: Any) -> str:
        name = f"constant_{len(self._constants)}"
        self._constants[name] = value
        return name

    def take(self, field: str, step: Step, target: str) -> None:
        """Move a value out of the row into an object of the call."""
        self.add(1, f"value = row.{field}")
        self.add(1, "if value is UNSET: return None")
        self.add(1, f"row.{field} = UNSET")
        self.add(1, "if value is not None:")
        if step.convert is to_text:
            self.add(2, "value = str(value) if type(value) is int else to_text(value)")
        elif step.convert:
            self.add(2, f"value = {self.constant(step.convert)}(value)")
        self.add(2, f"if value is not None: {target}[{self.constant(step.name)}] = value")

    def show(self, field: str, step: Step) -> None:
        """Convert a value that stays in the row, and show it in the container."""
        self.add(1, f"value = row.{field}")
        if step.convert:
            self.add(1, "if value is not None and value is not UNSET:")
            self.add(2, f"row.{field} = value = {self.constant(step.convert)}(value)")
        absent = "UNSET" if step.keeps_null else "None"
        self.add(1, f"if value is not {absent}: values[{self.constant(step.name)}] = value")

    def compile(self) -> Callable[[Any], Json | None]:
        namespace: dict[str, Any] = {}
        exec("\n".join([*self._lines, "    return call"]), self._constants, namespace)  # noqa: S102 - see above
        place: Callable[[Any], Json | None] = namespace["place"]
        return place


def _put(call: Json, group: Group, values: Json) -> bool:
    """Put an object's members in their place; False if something else is there."""
    try:
        descend(call, group).update(values)
    except MappingProblem:
        return False
    return True
