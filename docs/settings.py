"""Writes docs/settings.md, and the README's table, from the settings tables of both programs.

Run it with `python docs/settings.py`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tap_mssql_query.settings.table import CONNECTION_SETTINGS, SYNC_SETTINGS, TAP_SETTINGS
from target_pipelines.api.settings_table import TARGET_SETTINGS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from program_kit.settings import Setting

PAGE = Path(__file__).with_suffix(".md")
README = Path(__file__).parents[1] / "README.md"
_BEGIN, _END = "<!-- settings of a sync -->", "<!-- end -->"


def render() -> str:
    """The whole page."""
    connection = {setting.name for setting in CONNECTION_SETTINGS}
    sections = {
        "tap-mssql-query": (setting for setting in TAP_SETTINGS if setting.name not in connection),
        "A database": CONNECTION_SETTINGS,
        "A sync": SYNC_SETTINGS,
        "target-pipelines": TARGET_SETTINGS,
    }
    introductions = {
        "A database": "The default database at the top level of the tap's configuration, and each "
        "entry of `databases`.",
        "A sync": "Each entry of `syncs`.",
    }
    lines = [
        "# Settings",
        "",
        "Written by `docs/settings.py` from the settings tables of both programs.",
        "",
        (
            "`--config` may be repeated; later ones override earlier ones. `--config ENV` reads "
            "the environment: `TAP_MSSQL_QUERY_` or `TARGET_PIPELINES_` and the setting's name in "
            "capitals, such as `TARGET_PIPELINES_TIMEOUT_SECONDS=2.5`. Arrays and objects are JSON "
            "there, booleans `true` or `false`."
        ),
    ]
    for title, settings in sections.items():
        lines += ["", f"## {title}", ""]
        if title in introductions:
            lines += [introductions[title], ""]
        lines += _table(settings)
    return "\n".join(lines) + "\n"


def _table(settings: Iterable[Setting]) -> Iterator[str]:
    yield "| setting | type | default | meaning |"
    yield "| --- | --- | --- | --- |"
    for setting in settings:
        default = "required" if setting.required else _show(setting.default)
        meaning = f"{setting.help} Secret." if setting.secret else setting.help
        yield f"| `{setting.name}` | {_type_of(setting.schema)} | {default} | {meaning} |"


def _show(default: object) -> str:
    return "" if default is None else f"`{json.dumps(default)}`"


def _type_of(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    return str(schema["type"])


def render_readme(text: str) -> str:
    """The README with the table of a sync's settings between its two markers."""
    before, _, rest = text.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    table = "\n".join(_table(SYNC_SETTINGS))
    return f"{before}{_BEGIN}\n{table}\n{_END}{after}"


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
    README.write_text(render_readme(README.read_text(encoding="utf-8")), encoding="utf-8")
