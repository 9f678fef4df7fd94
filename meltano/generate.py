"""Generates the Meltano definitions of both programs from their settings tables.

`python meltano/generate.py` writes `hub/*.yml` and the sections of meltano.yml between markers.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tap_mssql_query.settings.table import TAP_SETTINGS
from tap_mssql_query.tap import TapMSSQLQuery
from target_pipelines.api.settings_table import TARGET_SETTINGS
from target_pipelines.target import TargetPipelines

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from program_kit.settings import Setting

HUB = Path(__file__).parent / "hub"
PROJECT = Path(__file__).parents[1] / "meltano.yml"
_DISTRIBUTION = "mssql-reverse-etl"
_KEPT_IN_PROJECT = (
    "namespace",
    "executable",
    "capabilities",
    "commands",
    "settings_group_validation",
    "settings",
)
_PLAIN = re.compile(r"[A-Za-z][\w./:-]*(?<!:)")
_NOT_TEXT = {"yes", "no", "on", "off", "true", "false", "null", "y", "n"}
_ACRONYMS = {"api": "API", "id": "ID", "odbc": "ODBC", "tls": "TLS", "url": "URL"}


@dataclass(frozen=True, slots=True)
class Plugin:
    """A program as a Meltano plugin.

    Attributes:
        folder: Meltano's plugin type, `extractors` or `loaders`.
        groups: for `settings_group_validation`: each group of settings is enough to run.
        commands: arguments and description of each `meltano invoke NAME:COMMAND`.
    """

    name: str
    folder: str
    label: str
    description: str
    domain_url: str
    keywords: Sequence[str]
    capabilities: Sequence[str]
    settings: Sequence[Setting]
    groups: Sequence[Sequence[str]]
    commands: Mapping[str, tuple[str, str]]

    @property
    def namespace(self) -> str:
        """The prefix of its environment variables, in lower case."""
        return self.name.replace("-", "_")


PLUGINS = (
    Plugin(
        name=TapMSSQLQuery.name,
        folder="extractors",
        label="SQL Server Queries",
        description="The rows of SQL Server queries, and of them only what changed",
        domain_url="https://www.microsoft.com/sql-server",
        keywords=["database", "meltano_sdk", "reverse-etl", "sql-server"],
        capabilities=[capability.value for capability in TapMSSQLQuery.capabilities],
        settings=TAP_SETTINGS,
        groups=[["host", "syncs"], ["databases", "syncs"]],
        commands={
            "check": ("--config=ENV --check", "Check databases and syncs; read no row."),
        },
    ),
    Plugin(
        name=TargetPipelines.name,
        folder="loaders",
        label="Customer Data Pipelines",
        description="Calls to Customer.io, Segment, RudderStack, Hightouch, Jitsu and webhooks",
        domain_url="https://docs.customer.io/integrations/data-in/connections/http/",
        keywords=["api", "meltano_sdk", "reverse-etl"],
        capabilities=[capability.value for capability in TargetPipelines.capabilities],
        settings=TARGET_SETTINGS,
        groups=[["output_path"], ["destination", "write_key"], ["destinations"]],
        commands={"call-types": ("--list-call-types", "Show the call types, plugins' too.")},
    ),
)


def define(plugin: Plugin) -> dict[str, Any]:
    """The plugin's definition in the format of Meltano Hub."""
    return {
        "name": plugin.name,
        "variant": _DISTRIBUTION,
        "label": plugin.label,
        "description": plugin.description,
        "domain_url": plugin.domain_url,
        "namespace": plugin.namespace,
        "executable": plugin.name,
        "pip_url": _DISTRIBUTION,
        "maintenance_status": "beta",
        "keywords": plugin.keywords,
        "capabilities": plugin.capabilities,
        "commands": {
            name: {"args": args, "description": text}
            for name, (args, text) in plugin.commands.items()
        },
        "settings_group_validation": plugin.groups,
        "settings": [define_setting(setting) for setting in plugin.settings],
    }


def define_setting(setting: Setting) -> dict[str, Any]:
    """The definition of a setting; empty defaults are left to the program."""
    definition: dict[str, Any] = {
        "name": setting.name,
        "label": " ".join(_ACRONYMS.get(w, w.capitalize()) for w in setting.name.split("_")),
        "kind": kind_of(setting.schema),
        "description": setting.help,
    }
    if setting.default not in (None, "", [], {}):
        definition["value"] = setting.default
    if "enum" in setting.schema:
        definition["options"] = [{"label": v, "value": v} for v in setting.schema["enum"]]
    if setting.secret or holds_secret(setting.schema):
        definition["sensitive"] = True
    return definition


def kind_of(schema: Mapping[str, Any]) -> str:
    """Meltano's `kind` for a value with this JSON Schema."""
    if "enum" in schema:
        return "options"
    kind = str(schema["type"])
    # Meltano 4.4 fails with a traceback for a setting of the kind `decimal` that has a value.
    return {"number": "string"}.get(kind, kind)


def holds_secret(schema: Any) -> bool:
    """Whether a schema has a secret at any depth, such as a password in `databases`."""
    if isinstance(schema, dict):
        return schema.get("secret") is True or any(map(holds_secret, schema.values()))
    return isinstance(schema, list) and any(map(holds_secret, schema))


def to_yaml(value: Mapping[str, Any], indent: str = "") -> Iterator[str]:
    """Lines of YAML; a string is in double quotes unless it is a plain word."""
    for key, item in value.items():
        if isinstance(item, dict):
            yield f"{indent}{key}:"
            yield from to_yaml(item, f"{indent}  ")
        elif isinstance(item, list) and item and isinstance(item[0], dict):
            yield f"{indent}{key}:"
            for entry in item:
                first, *others = to_yaml(entry, f"{indent}  ")
                yield f"{indent}- {first.strip()}"
                yield from others
        elif isinstance(item, list) and item and isinstance(item[0], list):
            yield f"{indent}{key}:"
            yield from (f"{indent}- {_scalar(entry)}" for entry in item)
        else:
            yield f"{indent}{key}: {_scalar(item)}"


def _scalar(value: object) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_scalar, value))}]"
    is_plain = isinstance(value, str) and _PLAIN.fullmatch(value) and value not in _NOT_TEXT
    return str(value) if is_plain else json.dumps(value, ensure_ascii=False)


def render_hub(plugin: Plugin) -> str:
    """The text of `hub/NAME.yml`."""
    head = "# Written by meltano/generate.py from the settings tables."
    return "\n".join([head, *to_yaml(define(plugin))]) + "\n"


def render_project(text: str) -> str:
    """The text of meltano.yml with each plugin's definition between its two markers."""
    for plugin in PLUGINS:
        definition = define(plugin)
        lines = to_yaml({key: definition[key] for key in _KEPT_IN_PROJECT}, " " * 4)
        begin, end = f"    # {plugin.name}: written by meltano/generate.py", "    # end"
        before, _, rest = text.partition(f"{begin}\n")
        _, _, after = rest.partition(f"{end}\n")
        text = "\n".join([before + begin, *lines, end]) + f"\n{after}"
    return text


if __name__ == "__main__":
    for each in PLUGINS:
        (HUB / f"{each.name}.yml").write_text(render_hub(each), encoding="utf-8")
    PROJECT.write_text(render_project(PROJECT.read_text(encoding="utf-8")), encoding="utf-8")
