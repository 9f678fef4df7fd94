"""Every attribute of every public type is checked when it is registered."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest

from target_pipelines import CallType, DestinationType, HttpProfile, Limits
from target_pipelines.api.errors import PluginError
from target_pipelines.plugins import attributes
from target_pipelines.plugins.loading import PluginRegistry, load_plugins

PROFILE = HttpProfile(name="acme", call_max_bytes=10, batch_max_bytes=100)
CALL_TYPE = CallType(name="wave", summary="hello", schema={"type": "object"})
TABLES = {
    CallType: attributes.CALL_TYPE,
    DestinationType: attributes.DESTINATION_TYPE,
    HttpProfile: attributes.HTTP_PROFILE,
    Limits: attributes.LIMITS,
}


@pytest.mark.parametrize("kind", TABLES)
def test_every_attribute_has_an_expectation(kind):
    """A new attribute needs a row in the table of its type."""
    assert [entry.name for entry in fields(kind)] == [*TABLES[kind]]


PROFILES: dict[str, tuple[dict[str, Any], str]] = {
    "path as text": ({"path": "/x"}, "`path` .*a function of .calls.*not a value of type str"),
    "envelope of texts": ({"envelope": ("{", "}")}, "`envelope` .*pair of bytes.* of str, str"),
    "envelope of one": ({"envelope": b"["}, "`envelope` .*pair of bytes.* type bytes"),
    "authenticate as text": ({"authenticate": "Bearer"}, "`authenticate` .* type str"),
    "headers as a mapping": ({"headers": {"a": "b"}}, "`headers` .*a function .* type dict"),
    "classify of one": (
        {"classify": lambda status: None},
        r"`classify` .*a function of \(status\)",
    ),
    "path of none": ({"path": lambda: ""}, r"`path` .*a function of \(\)"),
    "size as text": ({"call_max_bytes": "10"}, "`call_max_bytes` .*integer above 0.* type str"),
    "no size": ({"batch_max_bytes": None}, "`batch_max_bytes` .*not None"),
    "true size": ({"batch_max_calls": True}, "`batch_max_calls` .* type bool"),
    "rate of 0": ({"requests_per_second": 0}, "`requests_per_second` .*above 0.*the int 0"),
    "URL as text": ({"base_urls": "https://a"}, "`base_urls` .*mapping of regions.* type str"),
    "URL without scheme": ({"base_urls": {"us": "a"}}, "`base_urls` .* type dict"),
    "events as a list": ({"events": ["a"]}, "`events` .* type list"),
    "reshape as text": ({"reshape": "a"}, "`reshape` .*or None, not a value of type str"),
    "settings of texts": ({"settings": ["a"]}, "`settings` .*of Setting, .* not a value"),
    "no name": ({"name": ""}, "`name` of"),
    "problems as a list": ({"find_further_problems": []}, "`find_further_problems` .* type list"),
}


@pytest.mark.parametrize(("change", "message"), PROFILES.values(), ids=list(PROFILES))
def test_faulty_profile_is_a_plugin_error(change, message):
    """The message names plugin and attribute, what came, and what is expected; never a value."""
    profile = replace(PROFILE, **change)

    with pytest.raises(PluginError, match=message) as caught:
        PluginRegistry().add_destination(profile.as_destination(), "acme")

    assert 'Plugin "acme": attribute' in str(caught.value)
    assert caught.value.exit_code == 6


CALL_TYPES: dict[str, tuple[dict[str, Any], str]] = {
    "name": ({"name": 7}, "`name` of CallType must be a text .*the int 7"),
    "summary": ({"summary": None}, "`summary` .*not None"),
    "schema": ({"schema": "{}"}, "`schema` .*a mapping"),
    "extra columns": ({"extra_columns": "trait"}, '`extra_columns` .*"traits"'),
    "extra columns as a list": ({"extra_columns": ["traits"]}, "`extra_columns` "),
    "sends_as": ({"sends_as": 3}, "`sends_as` "),
    "is_event": ({"is_event": "yes"}, "`is_event` .*True or False"),
    "build": ({"build": {}}, "`build` .*a function of .call. .* type dict"),
    "build of two": ({"build": lambda call, row: call}, r"`build` .*function of \(call, row\)"),
}


@pytest.mark.parametrize(("change", "message"), CALL_TYPES.values(), ids=list(CALL_TYPES))
def test_faulty_call_type_is_a_plugin_error(change, message):
    """As for a profile."""
    with pytest.raises(PluginError, match=message):
        PluginRegistry().add_call_type(replace(CALL_TYPE, **change), "acme")


def test_faulty_destination_is_a_plugin_error():
    """A destination without a profile is checked, too."""
    destination: Any = DestinationType(name="acme", open="acme")  # type: ignore[arg-type]

    with pytest.raises(PluginError, match=r"`open` .*a function of \(settings\)"):
        PluginRegistry().add_destination(destination, "acme")


def test_built_in_plugins_have_valid_attributes(caplog):
    """They are loaded without an error or a warning."""
    assert len(load_plugins()) > 10
    assert caplog.text == ""
