"""Loads plugins from entry points; a failure names the plugin and how to continue without it."""

from __future__ import annotations

import logging
from difflib import get_close_matches
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

import pluggy

from target_pipelines.api import hookspecs
from target_pipelines.api.call_types import CallType, check_schema
from target_pipelines.api.destinations import DestinationType
from target_pipelines.api.errors import PluginError
from target_pipelines.plugins.attributes import (
    CALL_TYPE,
    DESTINATION_TYPE,
    HTTP_PROFILE,
    check_attributes,
)
from target_pipelines.plugins.opening import find_problems, open_destination
from target_pipelines.plugins.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from target_pipelines.api.destinations import Destination
    from target_pipelines.api.settings import TargetSettings

HOOKS = ("register_call_types", "register_destinations")
_DISTRIBUTION = "mssql-reverse-etl"
_REMEDY = "Correct or update it, or block it with `blocked_plugins`."

logger = logging.getLogger(__name__)


class PluginRegistry:
    """The call types and destinations of all plugins."""

    def __init__(self) -> None:
        self.call_types = Registry(CallType, "Call type", CALL_TYPE)
        self.destinations = Registry(DestinationType, "Destination", DESTINATION_TYPE)

    def __len__(self) -> int:
        return len(self.call_types) + len(self.destinations)

    def add_call_type(self, registered: CallType, plugin: str) -> None:
        """Register a call type. Raises PluginError if it cannot be used."""
        self.call_types.add(registered, plugin)
        check_schema(registered, plugin)

    def add_destination(self, registered: DestinationType, plugin: str) -> None:
        """Register a destination. Raises PluginError if it cannot be used."""
        self.destinations.add(registered, plugin)
        if registered.profile is not None:
            check_attributes(registered.profile, HTTP_PROFILE, plugin)

    def find_problems(self, settings: TargetSettings) -> list[str]:
        """What is wrong in the settings of a known destination. Raises PluginError."""
        name = settings.destination
        return find_problems(self.destinations[name], settings, self.destinations.plugin_of(name))

    def open_destination(self, settings: TargetSettings) -> Destination:
        """Open a known destination. Raises ConfigurationError or PluginError."""
        name = settings.destination
        return open_destination(
            self.destinations[name], settings, self.destinations.plugin_of(name)
        )


def built_in_entry_points() -> list[EntryPoint]:
    """The entry points of the distribution that this package belongs to."""
    found = entry_points(group=hookspecs.PROJECT)
    return [entry for entry in found if _is_built_in(entry)]


def load_plugins(
    blocked: Sequence[str] = (), entries: Iterable[EntryPoint] | None = None
) -> PluginRegistry:
    """Load every installed plugin that is not blocked. Raises PluginError, which names it."""
    found = entry_points(group=hookspecs.PROJECT) if entries is None else entries
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    plugins = PluginRegistry()
    ordered = sorted(found, key=lambda entry: (entry.name, entry.value))
    for entry in ordered:
        if entry.name not in blocked:
            _add(manager, entry, plugins)
    _warn_of_api_types(plugins.call_types, {entry.name for entry in ordered if _is_built_in(entry)})
    return plugins


def _warn_of_api_types(call_types: Registry[CallType], known: Collection[str]) -> None:
    """Log a warning for a call type that is sent under a name that no built-in one has.

    `known` has the names of all built-in plugins, blocked ones included.
    """
    for name in call_types.names():
        api_type = call_types[name].api_type
        if known and api_type not in known:
            near = get_close_matches(api_type, known, n=1)
            logger.warning(
                'plugin=%s: call type "%s" is sent as "%s", which is no call of the API%s. Set '
                "`sends_as`, unless your destination knows it.",
                call_types.plugin_of(name),
                name,
                api_type,
                f"; did you mean {near[0]}?" if near else "",
            )


def _is_built_in(entry: EntryPoint) -> bool:
    return entry.dist is not None and entry.dist.name == _DISTRIBUTION


def _add(manager: pluggy.PluginManager, entry: EntryPoint, plugins: PluginRegistry) -> None:
    if manager.has_plugin(entry.name):
        raise PluginError(
            f'Two plugins have the name "{entry.name}"; one is {_distribution_of(entry)}. '
            "Uninstall one, or block both with `blocked_plugins`."
        )
    try:
        module = entry.load()
        manager.register(module, name=entry.name)
    except pluggy.PluginValidationError as error:
        problem = "implements a hook with the wrong arguments"
        raise _error(entry, f"{problem}: {_first_line(error)}") from error
    except (Exception, SystemExit) as error:
        raise _error(entry, f"cannot be loaded: {_describe(error)}") from error
    _check_hooks(manager, module, entry)
    _call_hooks(manager, module, entry, plugins)


def _check_hooks(manager: pluggy.PluginManager, module: Any, entry: EntryPoint) -> None:
    """Raise PluginError if a hook is misspelt, or if there is none."""
    try:
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        raise _error(entry, f"implements an unknown hook: {_first_line(error)}") from error
    undecorated = [name for name in HOOKS if _is_undecorated(module, name)]
    if undecorated:
        raise _error(entry, f"lacks @hookimpl before its function {undecorated[0]}")
    if not manager.get_hookcallers(module):
        problem = (
            "implements no hook: decorate a function named register_call_types or "
            "register_destinations with @hookimpl"
        )
        raise _error(entry, problem)


def _is_undecorated(module: Any, name: str) -> bool:
    function = getattr(module, name, None)
    return callable(function) and not hasattr(function, f"{hookspecs.PROJECT}_impl")


def _call_hooks(
    manager: pluggy.PluginManager, module: Any, entry: EntryPoint, plugins: PluginRegistry
) -> None:
    """Call the hooks of one plugin. Raises PluginError if they register nothing."""
    count_before = len(plugins)
    others = [plugin for plugin in manager.get_plugins() if plugin is not module]
    for hook, add in (
        ("register_call_types", plugins.add_call_type),
        ("register_destinations", plugins.add_destination),
    ):
        caller = manager.subset_hook_caller(hook, remove_plugins=others)
        try:
            caller(register=partial(add, plugin=entry.name))
        except PluginError:
            raise
        except (Exception, SystemExit) as error:
            raise _error(entry, f"failed in {hook}: {_describe(error)}") from error
    if len(plugins) == count_before:
        problem = (
            "registers nothing: its hook must call `register` with each CallType or DestinationType"
        )
        raise _error(entry, problem)


def _error(entry: EntryPoint, problem: str) -> PluginError:
    return PluginError(f'Plugin "{entry.name}" ({_distribution_of(entry)}) {problem}. {_REMEDY}')


def _distribution_of(entry: EntryPoint) -> str:
    """Name and version of the distribution; the module if they are unknown."""
    if entry.dist is None or not entry.dist.name:
        return entry.value
    return f"{entry.dist.name} {entry.dist.version}"


def _describe(error: BaseException) -> str:
    return f"{type(error).__name__}: {_first_line(error)}"


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else "no message"
