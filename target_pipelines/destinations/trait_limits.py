"""Checks a stream's columns against the trait limits of a destination. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from target_pipelines.encoding.mapping import MappingProblem, compile_plan

if TYPE_CHECKING:
    from collections.abc import Iterator

    from target_pipelines.api.calls import Limits
    from target_pipelines.singer.streams import Stream


def find_exceeded_limits(stream: Stream, limits: Limits) -> Iterator[str]:
    """The trait limits that the columns of a SCHEMA exceed; none for calls without traits."""
    if stream.call_type.extra_columns != "traits":
        return
    traits = _traits_of(stream)
    most, most_bytes = limits.max_traits, limits.max_trait_name_bytes
    if most is not None and len(traits) > most:
        yield f"{len(traits)} columns become traits, and {most} are kept"
    too_long = [name for name in traits if most_bytes and len(name.encode()) > most_bytes]
    if too_long:
        yield f"trait names may have {most_bytes} bytes, and these have more: {', '.join(too_long)}"


def _traits_of(stream: Stream) -> list[str]:
    try:
        plan = compile_plan(tuple(stream.columns), stream.call_type, null_values="omit")
    except MappingProblem:
        return []  # every record is rejected, with the reason
    return [
        ".".join((*group.parents[1:], step.name))
        for group in plan.nested
        if group.parents[0] == "traits"
        for step in group.steps
    ]
