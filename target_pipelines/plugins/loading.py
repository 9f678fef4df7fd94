"""Loads plugins from entry points; a failure names the plugin and how to continue without it."""

from __future__ import annotations

from functools import partial
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

import pluggy

from target_pipelines.api import hookspecs
from target_pipelines.api.call_types import CallType, check_schema
from target_pipelines.api.destinations import DestinationType
from target_pipelines.api.errors import PluginError
from target_pipelines.plugins.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_DISTRIBUTION = "mssql-reverse-etl"
_REMEDY = "Correct or update it, or block it with `blocked_plugins`."


class PluginRegistry:
    """The call types and destinations of all plugins."""

    def __init__(self) -> None:
        self.call_types = Registry(CallType, "Call type")
        self.destinations = Registry(DestinationType, "Destination")

    def __len__(self) -> int:
        return len(self.call_types) + len(self.destinations)

    def add_call_type(self, registered: CallType, plugin: str) -> None:
        """Register a call type. Raises PluginError if it cannot be used."""
        self.call_types.add(registered, plugin)
        check_schema(registered, plugin)

    def add_destination(self, registered: DestinationType, plugin: str) -> None:
        """Register a destination. Raises PluginError if it cannot be used."""
        self.destinations.add(registered, plugin)


def built_in_entry_points() -> list[EntryPoint]:
    """The entry points of the distribution that this package belongs to."""
    found = entry_points(group=hookspecs.PROJECT)
    return [entry for entry in found if entry.dist and entry.dist.name == _DISTRIBUTION]


def load_plugins(
    blocked: Sequence[str] = (), entries: Iterable[EntryPoint] | None = None
) -> PluginRegistry:
    """Load every installed plugin that is not blocked. Raises PluginError, which names it."""
    found = entry_points(group=hookspecs.PROJECT) if entries is None else entries
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    plugins = PluginRegistry()
    for entry in sorted(found, key=lambda entry: (entry.name, entry.value)):
        if entry.name not in blocked:
            _add(manager, entry, plugins)
    return plugins


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
    if not manager.get_hookcallers(module):
        problem = (
            "implements no hook: decorate a function named register_call_types or "
            "register_destinations with @hookimpl"
        )
        raise _error(entry, problem)


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
    if entry.dist is None:
        return entry.value
    return f"{entry.dist.name} {entry.dist.version}"


def _describe(error: BaseException) -> str:
    return f"{type(error).__name__}: {_first_line(error)}"


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else "no message"
