"""Uses a plugin's destination: checks its own settings, opens it, and checks what it opened."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, get_args

from program_kit.json_schema import describe_schema_error, find_schema_errors
from program_kit.settings import json_schema_of
from target_pipelines.api.calls import Limits
from target_pipelines.api.errors import PipelinesError, PluginError
from target_pipelines.api.outcomes import Delivered, Fatal, Outcome, Rejected, Retry
from target_pipelines.api.plugin_errors import describe_exception
from target_pipelines.plugins.attributes import LIMITS, OPEN_DESTINATION, check_attributes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from target_pipelines.api.calls import EncodedCall
    from target_pipelines.api.destinations import Destination, DestinationType, Sender
    from target_pipelines.api.settings import TargetSettings


def find_problems(kind: DestinationType, settings: TargetSettings, plugin: str) -> list[str]:
    """What is wrong in the settings of a destination. Raises PluginError."""
    problems = _find_option_problems(kind, settings.destination_options)
    if problems:
        return problems  # the plugin's own check may rely on them
    filled = _fill(kind, settings)
    found: list[str] = _call(
        kind, plugin, "find_problems", lambda: _listed(kind.find_problems(filled))
    )
    if not all(isinstance(problem, str) and problem for problem in found):
        raise PluginError(
            f'Plugin "{plugin}": `find_problems` of destination "{kind.name}" must give sentences, '
            "one text each. Correct it, or block the plugin with `blocked_plugins`."
        )
    return found


def _listed(found: Any) -> list[Any]:
    """The items; a bare string is not a list of sentences."""
    return [None] if isinstance(found, str) else list(found)


def open_destination(kind: DestinationType, settings: TargetSettings, plugin: str) -> Destination:
    """Open a destination. Raises ConfigurationError or PluginError."""
    opened: Destination = _call(kind, plugin, "open", lambda: kind.open(_fill(kind, settings)))
    check_attributes(opened, OPEN_DESTINATION, plugin)
    limits: Any = opened.limits
    if not isinstance(limits, Limits):
        raise PluginError(
            f'Plugin "{plugin}": `limits` of destination "{kind.name}" must be Limits, not a value '
            f"of type {type(limits).__name__}. Correct it, or block the plugin with "
            "`blocked_plugins`."
        )
    check_attributes(limits, LIMITS, plugin)
    return _CheckedDestination(opened, kind, plugin)


class _CheckedDestination:
    """A destination whose exceptions and outcomes are checked, on every call."""

    def __init__(self, opened: Destination, kind: DestinationType, plugin: str) -> None:
        self._opened = opened
        self._kind = kind
        self._plugin = plugin
        self.limits = opened.limits
        self.max_lanes = opened.max_lanes
        self.event_schemas = opened.event_schemas
        self.call_schema: Mapping[str, Any] = getattr(opened, "call_schema", {})

    def open_sender(self) -> Sender:
        """Open another connection. Raises PluginError."""
        open_sender = self._opened.open_sender
        sender: Any = _call(self._kind, self._plugin, "open_sender", open_sender)
        if not (
            callable(getattr(sender, "send", None)) and callable(getattr(sender, "close", None))
        ):
            raise PluginError(
                f'Plugin "{self._plugin}": `open_sender` of destination "{self._kind.name}" gave a '
                f"value of type {type(sender).__name__}, which has no `send` and `close`. Correct "
                "it, or block the plugin with `blocked_plugins`."
            )
        return _CheckedSender(sender, self._kind, self._plugin)

    def close(self) -> None:
        """Close the destination. Raises PluginError."""
        _call(self._kind, self._plugin, "close", self._opened.close)


class _CheckedSender:
    """A sender whose failures are outcomes, or PluginErrors."""

    def __init__(self, sender: Sender, kind: DestinationType, plugin: str) -> None:
        self._sender = sender
        self._kind = kind
        self._plugin = plugin

    def close(self) -> None:
        """Close the connection. Raises PluginError."""
        _call(self._kind, self._plugin, "close", self._sender.close)

    def stop(self) -> None:
        """Begin no more attempts, if the sender can see to that. Raises PluginError."""
        if stop := getattr(self._sender, "stop", None):
            _call(self._kind, self._plugin, "stop", stop)

    def send(self, calls: Sequence[EncodedCall]) -> Outcome:
        """Make one attempt. Raises PluginError."""
        outcome: Any = _call(self._kind, self._plugin, "send", lambda: self._sender.send(calls))
        if not isinstance(outcome, get_args(Outcome)) or not _has_valid_fields(outcome):
            raise PluginError(
                f'Plugin "{self._plugin}": an attempt of destination "{self._kind.name}" gave a '
                f"value of type {type(outcome).__name__}, not an Outcome whose attributes have the "
                "types that it documents. Correct `classify` or "
                "`send`, or block the plugin with `blocked_plugins`."
            )
        checked: Outcome = outcome
        return checked


def _has_valid_fields(outcome: Outcome) -> bool:
    """Whether the attributes of an outcome have their types."""
    match outcome:
        case Delivered():
            return True
        case Retry(reason, after, _, status):
            return (
                isinstance(reason, str)
                and (after is None or isinstance(after, (int, float)))
                and (status is None or isinstance(status, int))
            )
        case Rejected(reason, status):
            return isinstance(reason, str) and (status is None or isinstance(status, int))
        case Fatal(reason):
            return isinstance(reason, str)
    return isinstance(outcome.count, int) and all(
        isinstance(place, int) and isinstance(rejected, Rejected) and _has_valid_fields(rejected)
        for place, rejected in outcome.rejected.items()
    )


def _find_option_problems(kind: DestinationType, options: Mapping[str, Any]) -> list[str]:
    if options and not kind.settings:
        return [f"Setting `destination_options`: {kind.name} has no settings of its own."]
    if not kind.settings:
        return []
    schema = json_schema_of(kind.settings, closed=True)
    problems = []
    for error in find_schema_errors(schema, options):
        path = ".".join(map(str, ("destination_options", *error.path)))
        problems.append(f"Setting `{path}` {describe_schema_error(error)}.")
    return problems


def _fill(kind: DestinationType, settings: TargetSettings) -> TargetSettings:
    """The settings with the defaults of the destination's own ones."""
    if not kind.settings:
        return settings
    defaults = {setting.name: setting.default for setting in kind.settings}
    return replace(settings, destination_options={**defaults, **settings.destination_options})


def _call(kind: DestinationType, plugin: str, attribute: str, call: Callable[[], Any]) -> Any:
    """Call a plugin's function. Raises PluginError for anything but the target's own errors."""
    try:
        return call()
    except PipelinesError:
        raise
    except BaseException as error:  # a plugin may even call `exit`
        problem = describe_exception(error, getattr(kind, attribute, None))
        raise PluginError(
            f'Plugin "{plugin}": `{attribute}` of destination "{kind.name}" failed: {problem}. '
            "Correct or update it, or block it with `blocked_plugins`."
        ) from error
