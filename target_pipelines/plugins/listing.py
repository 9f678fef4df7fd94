"""--list-call-types: a table that a person can read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Column, Table

from program_kit.json_schema import required_names

if TYPE_CHECKING:
    from target_pipelines.api.call_types import CallType
    from target_pipelines.plugins.registry import Registry


def print_call_types(call_types: Registry[CallType]) -> None:
    """Print the call types, what each requires, and the plugin that offers it."""
    # Names stay whole where the terminal is narrow: they go into configurations.
    name_column, plugin_column = Column("call type", no_wrap=True), Column("plugin", no_wrap=True)
    table = Table(name_column, "what it says", "required", plugin_column, box=None)
    for name in call_types.names():
        call_type = call_types[name]
        table.add_row(name, call_type.summary, _describe(call_type), call_types.plugin_of(name))
    Console(soft_wrap=True).print(table)


def _describe(call_type: CallType) -> str:
    """Such as `event; userId or anonymousId`."""
    choices = [" and ".join(required_names(s)) for s in call_type.schema.get("anyOf", ())]
    parts = [", ".join(required_names(call_type.schema)), " or ".join(choices)]
    return "; ".join(part for part in parts if part)
