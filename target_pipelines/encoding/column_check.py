"""Checks syncs of the tap against the installed call types. Pure once these are loaded.

Registered in the entry-point group `tap_mssql_query.call_types`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from program_kit.findings import Finding, Level
from program_kit.json_schema import required_names
from target_pipelines.api.ordering_key import is_ordering_field
from target_pipelines.encoding.mapping import MappingProblem, compile_plan
from target_pipelines.plugins.loading import load_plugins

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from target_pipelines.api.call_types import CallType
    from target_pipelines.encoding.mapping import Plan
    from target_pipelines.plugins.registry import Registry

_IDS = ("userId", "anonymousId", "groupId", "previousId")

_GROUPS = {
    "integrations.": "Integrations",
    "traits.relationshipAttributes.": "Attributes of the relationship",
}
"""Objects of a call whose members columns name, and what to call them."""


def load_call_types() -> InstalledCallTypes:
    """Load the call types of every installed plugin. Raises PluginError."""
    return InstalledCallTypes(load_plugins().call_types)


class InstalledCallTypes:
    """The call types of the installed plugins, as the tap asks about them."""

    def __init__(
        self,
        registry: Registry[CallType],
        call_schemas: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        """`call_schemas` says what destinations require of every call, by their names."""
        self._registry = registry
        self._call_schemas = call_schemas or {}

    def names(self) -> list[str]:
        """The names of all call types, sorted."""
        return self._registry.names()

    def is_event(self, call_type: str) -> bool:
        """Whether calls of this type are events, whose order matters. True for an unknown name."""
        return call_type not in self._registry or self._registry[call_type].is_event

    def keeps_order(self, call_type: str, partition_column: str) -> bool:
        """Whether events keep their order when ranges of this column are delivered in any order."""
        return not self.is_event(call_type) or is_ordering_field(partition_column)

    def check_columns(
        self, columns: Sequence[str], call_type: str, *, may_be_completed_later: bool
    ) -> Iterator[Finding]:
        """Findings about a result with these columns, sent as calls of a known type.

        `may_be_completed_later` says that stream maps may add what is missing.
        """
        return _check(
            columns, self._registry[call_type], self._call_schemas, may_be_completed_later
        )


def _check(
    columns: Sequence[str],
    call_type: CallType,
    call_schemas: Mapping[str, Mapping[str, Any]],
    may_be_completed_later: bool,
) -> Iterator[Finding]:
    try:
        plan = compile_plan(columns, call_type, null_values="omit")
    except MappingProblem as problem:
        yield Finding(Level.ERROR, str(problem))
        return
    paths = _field_paths(plan)
    yield from _id_findings(paths)
    yield from _group_findings(paths)
    may_be_added = may_be_completed_later or call_type.build is not None
    level = Level.WARNING if may_be_added else Level.ERROR
    for missing in _find_missing(call_type.schema, set(paths.values())):
        yield Finding(
            level, f"Call type {call_type.name} requires {missing}; rename a column to match."
        )
    for name, schema in call_schemas.items():
        for missing in _find_missing(schema, set(paths.values())):
            yield Finding(
                level,
                f"Destination {name} requires {missing}, and drops other calls without a word; "
                "add a column.",
            )
    if plan.unmapped:
        names = ", ".join(plan.unmapped)
        yield Finding(Level.WARNING, f"Call type {call_type.name} has no field for {names}.")


def _field_paths(plan: Plan) -> dict[str, str]:
    """Where each column goes in the call: `traits.plan`."""
    return {
        step.column: ".".join((*group.parents, step.name))
        for group in (plan.top, *plan.nested)
        for step in group.steps
    }


def _id_findings(paths: Mapping[str, str]) -> Iterator[Finding]:
    ids = [
        path if column == path else f"{path} (column {column})"
        for column, path in paths.items()
        if path in _IDS
    ]
    if ids:
        yield Finding(Level.OK, f"Ids: {', '.join(ids)}.")


def _group_findings(paths: Mapping[str, str]) -> Iterator[Finding]:
    """What becomes of columns whose names are not those of traits or properties."""
    for prefix, what in _GROUPS.items():
        names = [path.removeprefix(prefix) for path in paths.values() if path.startswith(prefix)]
        if names:
            yield Finding(Level.OK, f"{what}: {', '.join(names)}.")


def _find_missing(schema: Mapping[str, Any], paths: set[str]) -> Iterator[str]:
    for name in required_names(schema):
        if not _is_filled(name, paths):
            yield f"`{name}`"
    choices = [required_names(choice) for choice in schema.get("anyOf", ())]
    if choices and not any(all(_is_filled(n, paths) for n in names) for names in choices):
        yield " or ".join(" and ".join(f"`{name}`" for name in names) for names in choices)


def _is_filled(name: str, paths: set[str]) -> bool:
    """Whether a column becomes this field, a part of it, or an object that contains it."""
    return any(
        name == path or name.startswith(f"{path}.") or path.startswith(f"{name}.") for path in paths
    )
