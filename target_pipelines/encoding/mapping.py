"""Records → calls, by the names of their columns. Pure.

A name that the call type knows goes to its place; `context.*`, `integrations.*` and the call
type's own container nest by dots; everything else becomes a trait or a property. The way is found
once for each set of columns (a `Plan`) and then only followed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from target_pipelines.encoding.conversions import Conversion, conversion_for

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from target_pipelines.api.call_types import CallType, Json

Path = tuple[str, ...]


class MappingProblem(Exception):  # noqa: N818 - one row's problem, which becomes a dead letter
    """A record cannot become a call; the message names columns and fields, never values."""


class BuildProblem(MappingProblem):
    """A call type's `build` returned something that is no call."""


class Step(NamedTuple):
    """One column's way into the object around it."""

    column: str
    name: str
    convert: Conversion | None
    keeps_null: bool


@dataclass(frozen=True, slots=True)
class Group:
    """The columns of one object in the call; `parents` lead to it, outermost first."""

    parents: Path
    steps: Sequence[Step]

    def fill(self, target: Json, record: Mapping[str, Any]) -> None:
        """Put the columns' values into the object."""
        for column, name, convert, keeps_null in self.steps:
            value = record[column]
            if value is not None and convert is not None:
                value = convert(value)
            if value is not None or keeps_null:
                target[name] = value


@dataclass(frozen=True, slots=True)
class Plan:
    """How the records with one set of columns become calls.

    `unplaced` are columns for which the call type has no place.
    """

    api_type: str
    top: Group
    nested: Sequence[Group]
    unplaced: Sequence[str]

    def apply(self, record: Mapping[str, Any]) -> Json:
        """The call of a record. Raises MappingProblem."""
        call: Json = {"type": self.api_type}
        self.top.fill(call, record)
        for group in self.nested:
            values: Json = {}
            group.fill(values, record)
            if values:
                descend(call, group).update(values)
        return call


def descend(call: Json, group: Group) -> Json:
    """The object of a group, made where it is not there yet."""
    parent = call
    for name in group.parents:
        child = parent.get(name)
        if child is None:
            child = parent[name] = {}
        elif not isinstance(child, dict):
            raise MappingProblem(
                f"Column `{group.steps[0].column}` belongs in `{name}`, which another column fills "
                "with something that is no JSON object."
            )
        parent = child
    return parent


def compile_plan(columns: Sequence[str], call_type: CallType, *, null_values: str) -> Plan:
    """Find each column's place. Raises MappingProblem if two columns have the same."""
    placed = {column: _find_place(column, columns, call_type) for column in columns}
    _check_distinct(placed)
    steps: dict[Path, list[Step]] = {(): []}
    for column, path in placed.items():
        if path:
            step = _make_step(column, path, call_type, null_values)
            steps.setdefault(path[:-1], []).append(step)
    # Objects that a column fills whole come before those that reach inside of them; the traits or
    # properties are last.
    ordered = sorted(
        (parents for parents in steps if parents),
        key=lambda parents: (parents[0] == call_type.extra_columns, len(parents)),
    )
    nested = [Group(parents, steps[parents]) for parents in ordered]
    unplaced = [column for column, path in placed.items() if not path]
    return Plan(call_type.api_type, Group((), steps[()]), nested, unplaced)


def _make_step(column: str, path: Path, call_type: CallType, null_values: str) -> Step:
    schema = _schema_at(call_type.schema, path)
    keeps_null = null_values == "send" and len(path) > 1 and path[0] == call_type.extra_columns
    return Step(column, path[-1], conversion_for(schema), keeps_null)


def _find_place(column: str, columns: Sequence[str], call_type: CallType) -> Path:
    """The path of a column; empty if the call type has no place for it."""
    known = call_type.schema.get("properties", {})
    if top := _match(column, known, taken=columns):
        return (top,)
    first, _, rest = column.partition(".")
    container = _match(first, known) if rest else None
    if container and known[container].get("type") == "object":
        return (container, *_match_path(rest.split("."), known[container]))
    if call_type.extra_columns is None:
        return ()
    inner = known.get(call_type.extra_columns, {}).get("properties", {})
    return (call_type.extra_columns, _match(column, inner, taken=columns) or column)


def _match(name: str, known: Mapping[str, Any], taken: Sequence[str] = ()) -> str | None:
    """The known name that is meant: the exact one, else one that differs in case only.

    A known name that another column has exactly (`taken`) is not meant.
    """
    if name in known:
        return name
    folded = name.casefold()
    return next((k for k in known if k.casefold() == folded and k not in taken), None)


def _match_path(names: Sequence[str], schema: Mapping[str, Any]) -> Path:
    path: list[str] = []
    for name in names:
        known = schema.get("properties", {})
        path.append(_match(name, known) or name)
        schema = known.get(path[-1], {})
    return tuple(path)


def _schema_at(schema: Mapping[str, Any], path: Path) -> Mapping[str, Any]:
    for name in path:
        schema = schema.get("properties", {}).get(name, {})
    return schema


def _check_distinct(placed: Mapping[str, Path]) -> None:
    columns_by_path: dict[Path, str] = {}
    for column, path in placed.items():
        if path and path in columns_by_path:
            raise MappingProblem(
                f"Columns `{columns_by_path[path]}` and `{column}` both mean "
                f"`{'.'.join(path)}`; rename one with AS."
            )
        columns_by_path[path] = column


_MAX_PLANS = 256  # records of one stream that differ in their columns are rare


class Mapper:
    """Maps the records of one stream; remembers a plan for each set of columns.

    Attributes:
        unplaced: columns without a place, as far as they have been met.
    """

    def __init__(self, call_type: CallType, *, null_values: str) -> None:
        self._call_type = call_type
        self._null_values = null_values
        self._plans: dict[Path, Plan] = {}
        self.unplaced: set[str] = set()

    def map(self, record: Json) -> Json | None:
        """The call of a record; None if the call type filters it out. Raises MappingProblem."""
        columns = tuple(record)
        plan = self._plans.get(columns) or self._add_plan(columns)
        call = plan.apply(record)
        build = self._call_type.build
        return call if build is None else _built(build(call), plan.api_type)

    def _add_plan(self, columns: Path) -> Plan:
        plan = compile_plan(columns, self._call_type, null_values=self._null_values)
        if len(self._plans) >= _MAX_PLANS:
            self._plans.clear()
        self._plans[columns] = plan
        self.unplaced.update(plan.unplaced)
        return plan


def _built(call: Any, api_type: str) -> Json | None:
    """What `build` returned, if the API can take it for this call. Raises BuildProblem."""
    if call is None:
        return None
    if not isinstance(call, dict):
        raise BuildProblem(f"`build` returned a {type(call).__name__}, not a call")
    if call.get("type") != api_type:
        raise BuildProblem(f'`build` returned a call whose `type` is not "{api_type}"')
    return call
