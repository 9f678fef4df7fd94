from __future__ import annotations

import runpy
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # it comes with singer-sdk, without types
from jsonschema import Draft202012Validator
from packaging.specifiers import SpecifierSet

from tap_mssql_query.settings.table import TAP_SETTINGS
from target_pipelines.api.settings_table import TARGET_SETTINGS
from tests.packaging.conftest import ROOT
from tests.packaging.test_repository import PINNED

GENERATOR = runpy.run_path(str(ROOT / "meltano" / "generate.py"))
PLUGINS = {plugin.name: plugin for plugin in GENERATOR["PLUGINS"]}
PROJECT = (ROOT / "meltano.yml").read_text()
TABLES = {"tap-mssql-query": TAP_SETTINGS, "target-pipelines": TARGET_SETTINGS}
FOLDERS = {"tap-mssql-query": "extractors", "target-pipelines": "loaders"}


def _in_project(name: str) -> dict[str, Any]:
    (plugin,) = yaml.safe_load(PROJECT)["plugins"][FOLDERS[name]]
    return dict(plugin)


def _in_hub(name: str) -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / "meltano" / "hub" / f"{name}.yml").read_text()))


def test_project_matches_the_settings_tables():
    """meltano.yml is generated from the settings tables; run `python meltano/generate.py`."""
    assert GENERATOR["render_project"](PROJECT) == PROJECT


@pytest.mark.parametrize("name", TABLES)
def test_definition_for_the_hub_matches_the_settings_table(name):
    """meltano/hub is generated from the settings tables; run `python meltano/generate.py`."""
    text = (ROOT / "meltano" / "hub" / f"{name}.yml").read_text()

    assert GENERATOR["render_hub"](PLUGINS[name]) == text


@pytest.mark.parametrize("read", [_in_project, _in_hub], ids=["project", "hub"])
@pytest.mark.parametrize("name", TABLES)
def test_every_setting_is_defined(name, read):
    """After YAML parsing, each setting has the table's description and default."""
    defined = {setting["name"]: setting for setting in read(name)["settings"]}

    assert list(defined) == [setting.name for setting in TABLES[name]]
    for setting in TABLES[name]:
        assert defined[setting.name]["description"] == setting.help
        default = None if setting.default in ("", [], {}) else setting.default
        assert defined[setting.name].get("value") == default


@pytest.mark.parametrize(
    ("name", "secrets"),
    [
        ("tap-mssql-query", {"password", "databases"}),
        ("target-pipelines", {"write_key", "message_id_salt"}),
    ],
)
def test_secrets_are_sensitive(name, secrets):
    """Meltano hides every secret, including objects that contain one."""
    settings = _in_project(name)["settings"]
    sensitive = {setting["name"] for setting in settings if setting.get("sensitive")}

    assert secrets <= sensitive
    assert "host" not in sensitive


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        ({"type": "string"}, "string"),
        ({"type": "string", "enum": ["a"]}, "options"),
        ({"type": "integer"}, "integer"),
        ({"type": "number"}, "string"),
        ({"type": "boolean"}, "boolean"),
        ({"type": "array"}, "array"),
        ({"type": "object"}, "object"),
    ],
    ids=str,
)
def test_types_become_kinds_of_meltano(schema, kind):
    """Each JSON type becomes a kind that Meltano knows."""
    assert GENERATOR["kind_of"](schema) == kind


@pytest.mark.parametrize("name", TABLES)
def test_groups_name_settings_that_exist(name):
    """The settings that a group requires exist."""
    known = {setting.name for setting in TABLES[name]}
    groups = _in_hub(name)["settings_group_validation"]

    assert groups
    assert all(set(group) <= known for group in groups)


TEXTS = ["yes", "no", "null", "a: b", "#", "it's", "“ü”", "1", "", "- a", "{{x}}", "a:", "*", "`"]


@pytest.mark.parametrize("text", TEXTS)
def test_text_survives_a_round_trip_through_yaml(text):
    """A description can contain any characters."""
    lines = GENERATOR["to_yaml"]({"a": text, "b": [text], "c": {"d": text}, "e": [{"f": text}]})

    assert yaml.safe_load("\n".join(lines)) == {
        "a": text,
        "b": [text],
        "c": {"d": text},
        "e": [{"f": text}],
    }


def test_definitions_have_only_keys_of_the_hub():
    """The hub rejects a definition with unknown keys, or without these four."""
    known = {
        *("name", "variant", "label", "description", "domain_url", "namespace", "executable"),
        *("pip_url", "maintenance_status", "keywords", "capabilities", "commands"),
        *("settings_group_validation", "settings"),
    }
    for name in TABLES:
        definition = _in_hub(name)
        assert {"name", "variant", "label", "namespace"} <= definition.keys() <= known
        assert Draft202012Validator(SETTINGS_OF_THE_HUB).is_valid(definition["settings"])


SETTINGS_OF_THE_HUB = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["name"],
        "properties": {
            "name": {"type": "string"},
            "label": {"type": "string"},
            "kind": {
                "enum": ["string", "options", "integer", "decimal", "boolean", "array", "object"]
            },
            "description": {"type": "string"},
            "value": {},
            "options": {"type": "array"},
            "sensitive": {"const": True},
        },
        "additionalProperties": False,
    },
}


def test_versions_for_meltano_are_pinned_without_addresses():
    """constraints-meltano.txt has sorted names and exact versions, and an allowed Meltano."""
    lines = (ROOT / "constraints-meltano.txt").read_text().splitlines()
    (version,) = (line.split("==")[1] for line in lines if line.startswith("meltano=="))

    assert [line for line in lines if not PINNED.fullmatch(line)] == []
    assert lines == sorted(lines, key=str.lower)
    assert version in SpecifierSet(yaml.safe_load(PROJECT)["requires_meltano"])
