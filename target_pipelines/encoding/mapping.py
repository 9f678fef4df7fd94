"""The plan by which records become calls, and the mapper that executes it record by record. Pure.

A plan is compiled once for each set of columns. The batch encoder executes the same plan.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from program_kit.json_limits import MAX_DEPTH
from target_pipelines.encoding.column_paths import Path, find_path, is_metadata, schema_at
from target_pipelines.encoding.conversions import Conversion, conversion_for, to_json

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from target_pipelines.api.call_types import CallType, Json
    from target_pipelines.api.remedies import Kind
    from target_pipelines.api.settings import NullValues

_MAX_PLANS = 256  # the records of one stream rarely differ in their columns


class MappingProblem(Exception):  # noqa: N818 - one record's problem, which becomes a dead letter
    """A record cannot become a call; the message names columns and fields, never values."""

    kind: Kind = "query"


class BuildProblem(MappingProblem):
    """A call type's `build` failed, or returned something that is not a call."""

    kind = "settings"


class Step(NamedTuple):
    """How one column becomes a field of the object that its group describes."""

    column: str
    name: str
    convert: Conversion | None
    keeps_null: bool


@dataclass(frozen=True, slots=True)
class Group:
    """The columns of one object in the call; `parents` is the path to it, empty for the call."""

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

    Attributes:
        api_type: the `type` of the calls.
        top: the fields of the call itself.
        nested: the objects in it, in the order in which they are filled.
        unmapped: columns for which the call type has no field.
    """

    api_type: str
    top: Group
    nested: Sequence[Group]
    unmapped: Sequence[str]

    @property
    def groups(self) -> Sequence[Group]:
        """All groups, in the order in which they are filled."""
        return (self.top, *self.nested)

    def apply(self, record: Mapping[str, Any]) -> Json:
        """The call of a record. Raises MappingProblem."""
        call: Json = {"type": self.api_type}
        self.top.fill(call, record)
        for group in self.nested:
            values: Json = {}
            group.fill(values, record)
            if values:
                put_values(call, group, values)
        return call

    def restrict(self, paths: Collection[Path]) -> Plan:
        """The part of the plan that fills these paths."""
        top, *nested = (
            replace(group, steps=[s for s in group.steps if (*group.parents, s.name) in paths])
            for group in self.groups
        )
        return replace(self, top=top, nested=[group for group in nested if group.steps])


def put_values(call: Json, group: Group, values: Json) -> None:
    """Put values into the object of a group, which is created if missing. Raises MappingProblem."""
    parent = call
    for name in group.parents:
        child = parent.get(name)
        if child is None:
            child = parent[name] = {}
        elif not isinstance(child, dict):
            raise MappingProblem(
                f"Column `{group.steps[0].column}` belongs in `{name}`, which another column fills "
                "with a value that is not a JSON object."
            )
        parent = child
    if twice := parent.keys() & values.keys():
        place = ".".join((*group.parents, min(twice)))
        raise MappingProblem(
            f"Two columns have a value for `{place}`: one of its own, and one of the whole object. "
            "Leave one out."
        )
    parent.update(values)


def compile_plan(columns: Sequence[str], call_type: CallType, *, null_values: NullValues) -> Plan:
    """Find the field of each column. Raises MappingProblem if two columns have the same."""
    paths = {column: find_path(column, columns, call_type) for column in columns}
    _check_distinct(paths)
    if max(map(len, paths.values()), default=0) > MAX_DEPTH:
        raise MappingProblem(f"A column's name has more than {MAX_DEPTH} parts; rename it with AS.")
    steps: dict[Path, list[Step]] = {(): []}
    for column, path in paths.items():
        if path:
            step = _make_step(column, path, call_type, null_values)
            steps.setdefault(path[:-1], []).append(step)
    # An object that one column fills whole comes before the columns that add to it. Traits or
    # properties come last.
    ordered = sorted(
        (parents for parents in steps if parents),
        key=lambda parents: (parents[0] == call_type.extra_columns, len(parents)),
    )
    nested = [Group(parents, steps[parents]) for parents in ordered]
    unmapped = [column for column, path in paths.items() if not path and not is_metadata(column)]
    return Plan(call_type.api_type, Group((), steps[()]), nested, unmapped)


def _make_step(column: str, path: Path, call_type: CallType, null_values: NullValues) -> Step:
    schema = schema_at(call_type.schema, path)
    if isinstance(null_values, dict):
        null_values = null_values.get(column, null_values[""])
    keeps_null = null_values == "send" and len(path) > 1 and path[0] == call_type.extra_columns
    return Step(column, path[-1], conversion_for(schema), keeps_null)


def _check_distinct(paths: Mapping[str, Path]) -> None:
    columns_by_path: dict[Path, str] = {}
    for column, path in paths.items():
        if path and path in columns_by_path:
            raise MappingProblem(
                f"Columns `{columns_by_path[path]}` and `{column}` both map to "
                f"`{'.'.join(path)}`; rename one with AS."
            )
        columns_by_path[path] = column


def in_one_order(columns: Sequence[str], described: Collection[str]) -> list[str]:
    """Columns in the order of their SCHEMA if it describes all of them, else by name.

    So equal records become equal calls, whatever part of them a SCHEMA describes.
    """
    if set(columns) <= set(described):
        return [column for column in described if column in columns]
    return sorted(columns)


class Mapper:
    """Maps the records of one stream; keeps a plan for each set of columns.

    Attributes:
        unmapped: columns without a field, of all records so far.
    """

    def __init__(
        self,
        call_type: CallType,
        *,
        null_values: NullValues,
        described: Collection[str] = (),
        json_columns: Collection[str] = (),
    ) -> None:
        self._call_type = call_type
        self._described = described
        self._null_values = null_values
        self._json_columns = frozenset(json_columns)
        self._plans: dict[Path, Plan] = {}
        self.unmapped: set[str] = set()

    def map(self, record: Json) -> Json | None:
        """The call of a record; None if the call type filters it out. Raises MappingProblem."""
        columns = tuple(record)
        plan = self._plans.get(columns) or self._add_plan(columns)
        for column in self._json_columns & record.keys():
            record[column] = to_json(record[column])
        call = plan.apply(record)
        build = self._call_type.build
        return call if build is None else _check_built(build(call), plan.api_type)

    def _add_plan(self, columns: Path) -> Plan:
        ordered = in_one_order(columns, self._described)
        plan = compile_plan(ordered, self._call_type, null_values=self._null_values)
        if len(self._plans) >= _MAX_PLANS:
            self._plans.clear()
        self._plans[columns] = plan
        self.unmapped.update(plan.unmapped)
        return plan


def _check_built(call: Any, api_type: str) -> Json | None:
    """The result of `build`, if the API accepts it as this call. Raises BuildProblem."""
    if call is None:
        return None
    if not isinstance(call, dict):
        raise BuildProblem(f"`build` returned a {type(call).__name__}, not a call")
    if call.get("type") != api_type:
        raise BuildProblem(f'`build` returned a call whose `type` is not "{api_type}"')
    return call
