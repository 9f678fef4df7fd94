"""A plugin's destination: its own settings, what it opens, and its exceptions."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from typing import Any

import pytest

from target_pipelines import (
    ConfigurationError,
    DestinationType,
    EncodedCall,
    HttpProfile,
    Limits,
    Setting,
    TargetSettings,
)
from target_pipelines.api.errors import PluginError
from target_pipelines.api.outcomes import Retry
from target_pipelines.plugins.opening import find_problems, open_destination
from target_pipelines.testing import RecordingServer

SETTINGS = (
    Setting("acme_project", {"type": "string", "minLength": 1}, "The project.", required=True),
    Setting("retention_days", {"type": "integer", "minimum": 1}, "Days to keep calls.", 30),
)


@dataclass
class _Opened:
    limits: Any = Limits(call_max_bytes=1, batch_max_bytes=1)  # noqa: RUF009 - frozen
    max_lanes: Any = None
    event_schemas: Any = None

    def __post_init__(self):
        self.event_schemas = self.event_schemas or {}

    def open_sender(self): ...

    def close(self): ...


KIND = DestinationType(
    name="acme",
    open=lambda settings: _Opened(),
    settings=SETTINGS,
)


def _settings(**options: Any) -> TargetSettings:
    return TargetSettings(destination="acme", destination_options=options)


OPTIONS: dict[str, tuple[dict[str, Any], str]] = {
    "missing": ({}, "Setting `destination_options` lacks `acme_project`."),
    "unknown": ({"acme_project": "a", "acme": 1}, "has unknown keys: acme"),
    "type": ({"acme_project": 7}, "Setting `destination_options.acme_project` must be of type"),
    "range": ({"acme_project": "a", "retention_days": 0}, "`destination_options.retention_days`"),
}


@pytest.mark.parametrize(("options", "problem"), OPTIONS.values(), ids=list(OPTIONS))
def test_own_settings_are_checked(options, problem):
    """A setting of a plugin is checked like one of the target."""
    (found,) = find_problems(KIND, _settings(**options), "acme")

    assert problem in found


def test_options_without_own_settings_are_a_problem():
    """A misplaced option is not ignored."""
    kind = replace(KIND, settings=())

    assert find_problems(kind, _settings(), "acme") == []
    assert "no settings of its own" in find_problems(kind, _settings(a=1), "acme")[0]


def test_defaults_are_filled_in():
    """`open` gets every own setting."""
    options: list[Any] = []

    def keep(settings: TargetSettings) -> Any:
        options.append(settings.destination_options)
        return _Opened()

    open_destination(replace(KIND, open=keep), _settings(acme_project="a"), "acme")

    assert options == [{"acme_project": "a", "retention_days": 30}]


def test_values_of_options_are_not_shown():
    """They may be secret."""
    assert "secret" not in repr(_settings(acme_project="secret"))


OPENED: dict[str, tuple[Any, str]] = {
    "nothing": (None, "`event_schemas` of NoneType must be"),
    "no limits": (_Opened(limits={}), "must be Limits, not a value of type dict"),
    "faulty limits": (
        _Opened(limits=Limits(call_max_bytes="1", batch_max_bytes=1)),  # type: ignore[arg-type]
        "`call_max_bytes` of Limits must be an integer above 0",
    ),
    "faulty lanes": (_Opened(max_lanes=0), "`max_lanes` "),
    "faulty events": (_Opened(event_schemas=["a"]), "`event_schemas` "),
}


@pytest.mark.parametrize(("opened", "message"), OPENED.values(), ids=list(OPENED))
def test_what_a_plugin_opens_is_checked(opened, message):
    """A faulty destination ends in a sentence, not in a traceback."""
    kind = DestinationType(name="acme", open=lambda _: opened)

    with pytest.raises(PluginError, match=message):
        open_destination(kind, _settings(), "acme")


def _raise(settings: TargetSettings) -> Any:
    raise KeyError("secret")


def test_exception_of_a_plugin_is_located():
    """The message has the exception and the line, and not its text."""
    kind = DestinationType(name="acme", open=_raise, find_problems=_raise)

    for call in (open_destination, find_problems):
        with pytest.raises(PluginError, match=r"KeyError in line \d+ of test_opening.py") as caught:
            call(kind, _settings(), "acme")
        assert "secret" not in str(caught.value)


def test_configuration_errors_of_a_plugin_are_kept():
    """`open` may raise ConfigurationError, which is public."""

    def refuse(settings: TargetSettings) -> Any:
        raise ConfigurationError("Setting `endpoint`: no.")

    with pytest.raises(ConfigurationError, match="no"):
        open_destination(DestinationType(name="acme", open=refuse), _settings(), "acme")


def test_profile_passes_its_settings_on():
    """An HTTP profile declares settings, too."""
    profile = HttpProfile(name="a", call_max_bytes=1, batch_max_bytes=1, settings=SETTINGS)

    assert profile.as_destination().settings == SETTINGS


PROFILE = HttpProfile(name="acme", call_max_bytes=9, batch_max_bytes=9)
AT_WORK: dict[str, tuple[dict[str, Any], str]] = {
    "no outcome": (
        {"classify": lambda status, headers, body, *, now: None},
        "NoneType, not an Outcome",
    ),
    "classify raises": (
        {"classify": lambda status, headers, body, *, now: {"a": 1}["secret"]},
        "failed: KeyError in line [0-9]+ of test_opening.py",
    ),
    "path raises": ({"path": lambda calls: calls[7]}, "IndexError in line"),
    "path of a number": ({"envelope": (b"", b""), "path": lambda calls: 1 // 0}, "ZeroDivision"),
    "authenticate raises": ({"authenticate": lambda key: {}[key]}, "`open_sender` .*KeyError"),
    "no headers": ({"headers": lambda settings: None}, "`headers` must return"),
    "line break": ({"headers": lambda settings: {"a": "b\r\nc"}}, "`headers` must return"),
    "number": ({"path": lambda calls: 5}, "`path` must return"),
    "blank": ({"path": lambda calls: "/a b"}, "`path` must return"),
    "exit": ({"path": lambda calls: sys.exit(0)}, "`send` .*SystemExit in line"),
    "bad retry": (
        {"classify": lambda status, headers, body, *, now: Retry("x", "y")},  # type: ignore[arg-type]
        "Retry, not an Outcome whose attributes",
    ),
}


@pytest.mark.parametrize(("change", "message"), AT_WORK.values(), ids=list(AT_WORK))
def test_exceptions_while_sending_are_located(change, message):
    """What a profile's functions do wrong later ends in a sentence, too."""
    kind = replace(PROFILE, **change).as_destination()
    with RecordingServer() as server:
        settings = TargetSettings(destination="acme", endpoint=server.url, write_key="secret")
        with pytest.raises(PluginError, match=message) as caught:
            open_destination(kind, settings, "acme").open_sender().send(
                [EncodedCall(b"{}", "s", "t", "", 0)]
            )
    assert "secret" not in str(caught.value)
