"""Every setting can come from a file, from the environment and from Meltano, and means the same."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from meltano.generate import kind_of
from program_kit.command_line import read_config
from program_kit.logs import find_level_problem, log_level
from tap_mssql_query.errors import ConfigurationError
from tap_mssql_query.settings.table import TAP_SETTINGS
from tap_mssql_query.tap import TapMSSQLQuery
from target_pipelines.api.settings_table import ENVIRONMENT, TARGET_SETTINGS

if TYPE_CHECKING:
    from pathlib import Path

    from program_kit.environment import Environment
    from program_kit.settings import Setting

PROGRAMS = {
    "tap": (TapMSSQLQuery.environment(), TAP_SETTINGS),
    "target": (ENVIRONMENT, TARGET_SETTINGS),
}
VALUES: dict[str, list[tuple[str, Any]]] = {
    "string": [
        ("text", "text"),
        ("123", "123"),
        ("true", "true"),
        ('{"a":1}', '{"a":1}'),
        ("", ""),
    ],
    "integer": [("7", 7), (" +7 ", 7), ("-1", -1)],
    "number": [("2.5", 2.5), ("600", 600), ("1e2", 100), ("0.05", 0.05)],
    "boolean": [("true", True), ("FALSE", False), ("1", True), ("off", False)],
    "array": [('["a"]', ["a"]), ("[]", [])],
    "object": [('{"a": 1}', {"a": 1}), ("{}", {})],
}
BROKEN = {
    "integer": ["abc", "1.5", "", "0x10", "1_0", "٣"],
    "number": ["abc", "", "nan", "inf", "1_0", "1,5"],
    "boolean": ["maybe", "", "2"],
    "array": ["a,b", "{}", "[", "", '"x"'],
    "object": ["[]", "{canary", "", "1"],
}
SETTINGS = [
    pytest.param(environment, setting, id=f"{name}-{setting.name}")
    for name, (environment, settings) in PROGRAMS.items()
    for setting in settings
]


@pytest.mark.parametrize(("environment", "setting"), SETTINGS)
def test_setting_means_the_same_from_everywhere(
    environment: Environment, setting: Setting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a JSON file has it, as a variable has it, and as Meltano writes it."""
    kind = setting.schema["type"]
    for text, value in VALUES[kind]:
        monkeypatch.setenv(f"{environment.prefix}{setting.name.upper()}", text)
        path = tmp_path / "config.json"
        by_meltano = text if kind_of(setting.schema) == "string" else value
        for written in (value, by_meltano):
            path.write_text(json.dumps({setting.name: written}))
            assert read_config([str(path)], ValueError, environment) == {setting.name: value}
        assert read_config(["ENV"], ValueError, environment) == {setting.name: value}


@pytest.mark.parametrize(("environment", "setting"), SETTINGS)
def test_variable_that_cannot_be_read_is_named(
    environment: Environment, setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without its value, which may be a password."""
    variable = f"{environment.prefix}{setting.name.upper()}"
    for text in BROKEN.get(setting.schema["type"], ()):
        monkeypatch.setenv(variable, text)
        with pytest.raises(ConfigurationError, match=f"{variable} cannot be read: ") as caught:
            environment.read(ConfigurationError)
        assert not text or f"{text!r}" not in str(caught.value)
        assert "canary" not in str(caught.value)


def test_later_sources_override_earlier_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment as well as files, in the order of the options."""
    monkeypatch.setenv("TAP_MSSQL_QUERY_HOST", "environment")
    path = tmp_path / "config.json"
    path.write_text('{"host": "file", "database": "shop"}')
    tap = TapMSSQLQuery.environment()
    first = read_config(["ENV", str(path)], ValueError, tap)
    last = read_config([str(path), "ENV"], ValueError, tap)
    assert (first["host"], last["host"]) == ("file", "environment")
    assert first["database"] == last["database"] == "shop"


@pytest.mark.parametrize("variable", ["TAP_MSSQL_QUERY_LOGLEVEL", "LOGLEVEL"])
def test_unknown_level_is_named(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Words of other programs, such as `verbose`, are no levels; any case is right."""
    monkeypatch.setenv(variable, "verbose")
    assert f"{variable} is no level" in find_level_problem("tap-mssql-query")
    monkeypatch.setenv(variable, "warning")
    assert not find_level_problem("tap-mssql-query")
    assert log_level("tap-mssql-query") == "WARNING"
