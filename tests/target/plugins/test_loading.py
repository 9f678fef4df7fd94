from __future__ import annotations

import sys
import types
from importlib.metadata import EntryPoint
from typing import Any

import pytest

from target_pipelines import CallType, hookimpl
from target_pipelines.api.errors import PluginError
from target_pipelines.api.hookspecs import PROJECT
from target_pipelines.plugins.loading import built_in_entry_points, load_plugins
from target_pipelines.testing import check_plugin


def _call_type(name: Any = "wave", schema: Any = None) -> CallType:
    return CallType(name=name, summary="hello", schema={} if schema is None else schema)


def _registering(*call_types: Any) -> dict[str, Any]:
    """The contents of a plugin module that registers these call types."""

    @hookimpl
    def register_call_types(register: Any) -> None:
        for call_type in call_types:
            register(call_type)

    return {"register_call_types": register_call_types}


@pytest.fixture
def plugin(monkeypatch):
    """Creates an importable module with these contents; returns its entry point."""

    def make(name: str, contents: dict[str, Any], module_name: str = "") -> EntryPoint:
        module = types.ModuleType(module_name or f"plugin_{name}")
        vars(module).update(contents)
        monkeypatch.setitem(sys.modules, module.__name__, module)
        return EntryPoint(name=name, value=module.__name__, group=PROJECT)

    return make


def test_built_in_plugins_are_found_by_their_entry_points():
    """They use the entry-point group that any plugin uses; each has the name of what it offers."""
    plugins = load_plugins()

    names = {*plugins.call_types.names(), *plugins.destinations.names()}
    assert {entry.name for entry in built_in_entry_points()} <= names
    assert {"identify", "customerio"} <= names


def test_blocked_plugin_is_not_loaded():
    """A built-in plugin can be blocked, and so replaced."""
    assert "alias" not in load_plugins(blocked=["alias"]).call_types


def test_plugin_registers_a_call_type(plugin):
    """A module with one hook is a plugin."""
    plugins = load_plugins(entries=[plugin("acme", _registering(_call_type()))])

    assert plugins.call_types.names() == ["wave"]
    assert plugins.call_types.plugin_of("wave") == "acme"


def _misspelt() -> dict[str, Any]:
    @hookimpl
    def register_call_type(register: Any) -> None: ...

    return {"register_call_type": register_call_type}


def _wrong_arguments() -> dict[str, Any]:
    @hookimpl
    def register_call_types(registry: Any) -> None: ...

    return {"register_call_types": register_call_types}


def _raising() -> dict[str, Any]:
    @hookimpl
    def register_call_types(register: Any) -> None:
        raise KeyError("oops")

    return {"register_call_types": register_call_types}


def _exiting() -> dict[str, Any]:
    @hookimpl
    def register_call_types(register: Any) -> None:
        sys.exit("enough")

    return {"register_call_types": register_call_types}


def _undecorated() -> dict[str, Any]:
    def register_destinations(register: Any) -> None: ...

    return {**_registering(_call_type()), "register_destinations": register_destinations}


BAD = {
    "missing @hookimpl": (
        _undecorated,
        "lacks @hookimpl before its function register_destinations",
    ),
    "misspelt hook": (_misspelt, "implements an unknown hook"),
    "wrong arguments": (_wrong_arguments, "implements a hook with the wrong arguments"),
    "no hook": (dict, "implements no hook"),
    "raises": (_raising, "failed in register_call_types: KeyError"),
    "exits": (_exiting, "failed in register_call_types: SystemExit: enough"),
    "registers nothing": (_registering, "registers nothing: its hook must call `register`"),
    "no name": (lambda: _registering(_call_type(None)), "`name` of CallType must be a text"),
    "no schema": (lambda: _registering(_call_type(schema="wave")), "must be a JSON Schema"),
    "unknown reference": (
        lambda: _registering(_call_type(schema={"$ref": "#/$defs/x"})),
        r"an invalid JSON Schema: Pointer '/\$defs/x' does not exist. Correct it",
    ),
    "no call type": (lambda: _registering("wave"), "registered a str, not a CallType"),
    "bad schema": (
        lambda: _registering(_call_type(schema={"type": "x"})),
        "an invalid JSON Schema",
    ),
    "twice": (lambda: _registering(_call_type(), _call_type()), "is offered by two plugins"),
}


@pytest.mark.parametrize(("contents", "reason"), BAD.values(), ids=list(BAD))
def test_bad_plugin_is_named_with_the_remedy(plugin, contents, reason):
    """Whatever is wrong, the message names the plugin and how to continue without it."""
    with pytest.raises(PluginError, match=reason) as caught:
        load_plugins(entries=[plugin("acme", contents())])

    assert '"acme"' in str(caught.value)
    assert "blocked_plugins" in str(caught.value) or "@hookimpl" in str(caught.value)


def test_plugin_that_cannot_be_imported_is_named():
    """A missing module is an error of the plugin, not a traceback."""
    entry = EntryPoint(name="acme", value="no_such_module", group=PROJECT)

    with pytest.raises(PluginError, match=r'"acme".*cannot be loaded: ModuleNotFoundError'):
        load_plugins(entries=[entry])


def test_plugin_whose_import_ends_the_program_is_named(monkeypatch, tmp_path):
    """A module that exits does not end the run without a message."""
    (tmp_path / "leaving.py").write_text("raise SystemExit(0)")
    monkeypatch.syspath_prepend(tmp_path)
    entry = EntryPoint(name="acme", value="leaving", group=PROJECT)

    with pytest.raises(PluginError, match=r'"acme".*cannot be loaded: SystemExit'):
        load_plugins(entries=[entry])


def test_one_module_under_two_names_is_an_error(plugin):
    """Its call types would be registered twice."""
    acme = plugin("acme", _registering(_call_type()))

    with pytest.raises(PluginError, match=r'Plugin "zeta".*cannot be loaded: ValueError'):
        load_plugins(entries=[acme, EntryPoint("zeta", acme.value, PROJECT)])


def test_any_plugin_can_be_blocked(plugin):
    """A blocked plugin is not imported, so its errors do not affect the others."""
    broken = EntryPoint(name="acme", value="no_such_module", group=PROJECT)

    plugins = load_plugins(["acme"], [broken, plugin("zeta", _registering(_call_type()))])

    assert plugins.call_types.plugin_of("wave") == "zeta"


def test_two_plugins_of_one_name_are_an_error(plugin):
    """Neither is silently skipped."""
    entries = [
        plugin("acme", _registering(_call_type("a")), "acme_a"),
        plugin("acme", _registering(_call_type("b")), "acme_b"),
    ]

    with pytest.raises(PluginError, match='Two plugins have the name "acme"'):
        load_plugins(entries=entries)


def test_two_plugins_with_one_call_type_are_an_error(plugin):
    """Both are named, so that one can be blocked."""
    entries = [plugin(name, _registering(_call_type("wave"))) for name in ("acme", "zeta")]

    with pytest.raises(PluginError, match='"wave" is offered by two plugins, "acme" and "zeta"'):
        load_plugins(entries=entries)


@pytest.mark.parametrize(
    ("sends_as", "hint"), [("trak", "did you mean track?"), ("wave", "no call of the API. Set")]
)
def test_unknown_api_type_is_a_warning(plugin, caplog, sends_as, hint):
    """A misspelt `sends_as` does not go out unnoticed."""
    call_type = CallType(name="x", summary="", schema={}, sends_as=sends_as)

    load_plugins(entries=[*built_in_entry_points(), plugin("acme", _registering(call_type))])

    assert f'plugin=acme: call type "x" is sent as "{sends_as}"' in caplog.text
    assert hint in caplog.text


def test_type_of_a_blocked_plugin_is_known(plugin, caplog):
    """A plugin may replace a built-in call type."""
    entries = [*built_in_entry_points(), plugin("acme", _registering(_call_type("alias")))]

    load_plugins(["alias"], entries)

    assert caplog.text == ""


def _misspelt_and_undecorated() -> dict[str, Any]:
    def register_call_type(register: Any) -> None: ...

    return {**_registering(_call_type()), "register_call_type": register_call_type}


UNFIT = {
    "name collision": (lambda: _registering(_call_type("track")), '"track" is offered by two'),
    "misspelt hook": (_misspelt, "did you mean register_call_types"),
    "misspelt without @hookimpl": (_misspelt_and_undecorated, "did you mean register_call_types"),
    "missing @hookimpl": (_undecorated, "lacks @hookimpl"),
}


@pytest.mark.parametrize(("contents", "reason"), UNFIT.values(), ids=list(UNFIT))
def test_contract_suite_finds_an_unfit_plugin(plugin, contents, reason):
    """An author learns it from the tests, not from the first run."""
    entry = plugin("acme", contents())

    with pytest.raises(AssertionError, match=reason):
        check_plugin(entry.value)


def test_contract_suite_accepts_a_good_plugin(plugin):
    """A plugin may also replace a built-in one, which is blocked then."""
    check_plugin(plugin("acme", _registering(_call_type())).value)
    check_plugin(plugin("zeta", _registering(_call_type("track"))).value, blocked=["track"])
