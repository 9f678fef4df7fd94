"""--list-call-types and --list-destinations: tables of what the plugins offer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from program_kit.console import cell, writing_to_stdout
from program_kit.exact_json import encode_json
from program_kit.json_schema import required_names

if TYPE_CHECKING:
    from program_kit.settings import Setting
    from target_pipelines.api.call_types import CallType
    from target_pipelines.api.destinations import DestinationType
    from target_pipelines.plugins.registry import Registry


def print_call_types(call_types: Registry[CallType]) -> None:
    """Print the call types with their required fields and their plugins."""
    # Names are not wrapped on narrow terminals: users copy them into configurations.
    name_column, plugin_column = Column("call type", no_wrap=True), Column("plugin", no_wrap=True)
    table = Table(name_column, "summary", "required", plugin_column, box=None)
    for name in call_types.names():
        call_type = call_types[name]
        texts = (name, call_type.summary, _describe(call_type), call_types.plugin_of(name))
        table.add_row(*map(cell, texts))
    with writing_to_stdout():
        Console(soft_wrap=True).print(table)


def print_destinations(destinations: Registry[DestinationType]) -> None:
    """Print the destinations with their own settings and their plugins."""
    name_column, plugin_column = Column("destination", no_wrap=True), Column("plugin", no_wrap=True)
    table = Table(name_column, plugin_column, "settings under destination_options", box=None)
    for name in destinations.names():
        settings = Text("\n").join(map(_describe_setting, destinations[name].settings))
        table.add_row(cell(name), cell(destinations.plugin_of(name)), settings)
    with writing_to_stdout():
        Console(soft_wrap=True).print(table)


def _describe_setting(setting: Setting) -> Text:
    """Such as `acme_project (string, required, secret): The id of the project.`, in one line."""
    kind = setting.schema.get("type", "any")
    facts = [kind if isinstance(kind, str) else " or ".join(kind)]
    if setting.required:
        facts.append("required")
    if setting.default is not None:
        facts.append(f"default {encode_json(setting.default).decode()}")
    if setting.secret:
        facts.append("secret")
    return cell(f"{setting.name} ({', '.join(facts)}): {setting.help}")


def _describe(call_type: CallType) -> str:
    """Such as `event; userId or anonymousId`."""
    choices = [" and ".join(required_names(s)) for s in call_type.schema.get("anyOf", ())]
    parts = [", ".join(required_names(call_type.schema)), " or ".join(choices)]
    return "; ".join(part for part in parts if part)
