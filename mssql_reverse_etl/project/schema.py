"""The JSON Schema of the project file, made of both programs' tables of settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from program_kit.settings import Setting, json_schema_of
from tap_mssql_query.settings.table import CLOSED_JSONSCHEMA, SYNC_SETTINGS
from target_pipelines.api.settings_table import CONFIG_JSONSCHEMA

if TYPE_CHECKING:
    from collections.abc import Mapping

_VARIABLE = {"type": "string", "pattern": r"\$\{.+\}"}
_SCALARS = frozenset({"integer", "number", "boolean"})

TAP_SCHEMA = {
    **CLOSED_JSONSCHEMA,
    "properties": {n: s for n, s in CLOSED_JSONSCHEMA["properties"].items() if n != "syncs"},
    "required": [],
}

HISTORY_SETTINGS = (
    Setting(
        "keep_days",
        {"type": "integer", "minimum": 1},
        "How long runs are remembered.",
        90,
    ),
)
HISTORY_SCHEMA = json_schema_of(HISTORY_SETTINGS, closed=True)
PROJECT_SETTINGS = (
    Setting("tap", TAP_SCHEMA, "The settings of tap-mssql-query, but `syncs`.", required=True),
    Setting("target", CONFIG_JSONSCHEMA, "The settings of target-pipelines.", required=True),
    Setting(
        "syncs",
        {"type": "array", "items": json_schema_of(SYNC_SETTINGS, closed=True)},
        "The syncs: one query each.",
        required=True,
    ),
    Setting("history", HISTORY_SCHEMA, "What is kept of runs.", {}),
)
PROJECT_SCHEMA = json_schema_of(PROJECT_SETTINGS, closed=True)


def schema_at(path: tuple[str | int, ...]) -> Mapping[str, Any]:
    """The schema of a value in a project file; empty if there is none."""
    schema: Any = PROJECT_SCHEMA
    for step in path:
        further = schema.get("additionalProperties")
        schema = (
            schema.get("items")
            if isinstance(step, int)
            else schema.get("properties", {}).get(step, further)
        )
        if not isinstance(schema, dict):
            return {}
    found: Mapping[str, Any] = schema
    return found


def editor_schema() -> dict[str, Any]:
    """The schema for editors, in which any value may be a `${VARIABLE}`."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A project of mssql-reverse-etl",
        **_with_variables(PROJECT_SCHEMA),
    }


def _with_variables(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_with_variables(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if isinstance(kind := schema.get("type"), str) and kind in _SCALARS:
        notes = {n: schema[n] for n in ("description", "default") if n in schema}
        return {**notes, "anyOf": [schema, _VARIABLE]}
    return {name: _with_variables(each) for name, each in schema.items()}
