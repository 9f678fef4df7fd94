"""Checks how a sync's columns fit its call type: ids, required fields, Customer.io's limits. Pure.

Sources of the limits: Customer.io's documentation of attributes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from program_kit.findings import Finding, Level
from program_kit.settings import required_names
from target_pipelines.encoding.mapping import MappingProblem, compile_plan

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from target_pipelines.api.call_types import CallType
    from target_pipelines.encoding.mapping import Plan

_IDS = ("userId", "anonymousId", "groupId", "previousId")
_MAX_TRAITS = 300
_MAX_NAME_BYTES = 150


def check_call(
    columns: Sequence[str], call_type: CallType, *, is_finished_later: bool
) -> Iterator[Finding]:
    """What is found of a result with these columns, sent as this call type.

    Args:
        columns: names of the result's columns.
        call_type: the sync's.
        is_finished_later: whether stream maps may add what is missing.
    """
    try:
        plan = compile_plan(columns, call_type, null_values="omit")
    except MappingProblem as problem:
        yield Finding(Level.ERROR, str(problem))
        return
    places = _places_of(plan)
    yield from _id_findings(places)
    may_be_added = is_finished_later or call_type.build is not None
    for missing in _find_missing(call_type.schema, set(places.values())):
        level = Level.WARNING if may_be_added else Level.ERROR
        yield Finding(level, f"The call {call_type.name} needs {missing}; name a column so.")
    if plan.unmapped:
        names = ", ".join(plan.unmapped)
        yield Finding(Level.WARNING, f"The call {call_type.name} has no place for {names}.")
    if call_type.extra_columns == "traits":
        yield from _limit_findings(places)


def _places_of(plan: Plan) -> dict[str, str]:
    """Where each column goes, with dots: `traits.plan`."""
    return {
        step.column: ".".join((*group.parents, step.name))
        for group in (plan.top, *plan.nested)
        for step in group.steps
    }


def _id_findings(places: Mapping[str, str]) -> Iterator[Finding]:
    ids = [
        place if column == place else f"{place} (column {column})"
        for column, place in places.items()
        if place in _IDS
    ]
    if ids:
        yield Finding(Level.OK, f"Ids: {', '.join(ids)}.")


def _find_missing(schema: Mapping[str, Any], places: set[str]) -> Iterator[str]:
    for name in required_names(schema):
        if not _is_filled(name, places):
            yield f"`{name}`"
    choices = [required_names(choice) for choice in schema.get("anyOf", ())]
    if choices and not any(all(_is_filled(n, places) for n in names) for names in choices):
        yield " or ".join(" and ".join(f"`{name}`" for name in names) for names in choices)


def _is_filled(name: str, places: set[str]) -> bool:
    """Whether a column goes there, or into it, or fills an object that it is part of."""
    return any(
        name == place or name.startswith(f"{place}.") or place.startswith(f"{name}.")
        for place in places
    )


def _limit_findings(places: Mapping[str, str]) -> Iterator[Finding]:
    traits = [place.partition(".")[2] for place in places.values() if place.startswith("traits.")]
    if len(traits) > _MAX_TRAITS:
        yield Finding(
            Level.WARNING,
            f"{len(traits)} columns become traits; Customer.io keeps {_MAX_TRAITS} attributes.",
        )
    for name in traits:
        if (size := len(name.encode())) > _MAX_NAME_BYTES:
            yield Finding(
                Level.WARNING,
                f"The name {name} has {size} bytes; Customer.io takes {_MAX_NAME_BYTES}.",
            )
