"""Loads plugins, one by one, and turns each failure into a message with its remedy."""

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


class Plugins:
    """What all plugins offer."""

    def __init__(self) -> None:
        self.call_types = Registry(CallType, "Call type")
        self.destinations = Registry(DestinationType, "Destination")

    def __len__(self) -> int:
        return len(self.call_types) + len(self.destinations)

    def add_call_type(self, offered: CallType, plugin: str) -> None:
        """Register a call type. Raises PluginError if it cannot be used."""
        self.call_types.add(offered, plugin)
        check_schema(offered, plugin)

    def add_destination(self, offered: DestinationType, plugin: str) -> None:
        """Register a destination. Raises PluginError if it cannot be used."""
        self.destinations.add(offered, plugin)


def built_in_entry_points() -> list[EntryPoint]:
    """The entry points of the distribution that this package belongs to."""
    found = entry_points(group=hookspecs.PROJECT)
    return [entry for entry in found if entry.dist and entry.dist.name == _DISTRIBUTION]


def load_plugins(
    blocked: Sequence[str] = (), entries: Iterable[EntryPoint] | None = None
) -> Plugins:
    """Load every installed plugin that is not blocked. Raises PluginError, which names it."""
    found = entry_points(group=hookspecs.PROJECT) if entries is None else entries
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    plugins = Plugins()
    for entry in sorted(found, key=lambda entry: (entry.name, entry.value)):
        if entry.name not in blocked:
            _add(manager, entry, plugins)
    return plugins


def _add(manager: pluggy.PluginManager, entry: EntryPoint, plugins: Plugins) -> None:
    if manager.has_plugin(entry.name):
        raise PluginError(
            f'Two plugins are called "{entry.name}"; one is {_place(entry)}. Uninstall one, or '
            "block both with `blocked_plugins`."
        )
    try:
        module = entry.load()
        manager.register(module, name=entry.name)
    except pluggy.PluginValidationError as error:
        raise PluginError(
            f'Plugin "{entry.name}" ({_place(entry)}) implements a hook wrongly: '
            f"{_first_line(error)}. {_REMEDY}"
        ) from error
    except (Exception, SystemExit) as error:
        raise PluginError(
            f'Plugin "{entry.name}" ({_place(entry)}) cannot be loaded: {type(error).__name__}: '
            f"{_first_line(error)}. {_REMEDY}"
        ) from error
    _check_hooks(manager, module, entry)
    _call(manager, module, entry, plugins)


def _check_hooks(manager: pluggy.PluginManager, module: Any, entry: EntryPoint) -> None:
    """Raise PluginError for a hook that nothing will ever call: a misspelt one, or none at all."""
    try:
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        raise PluginError(
            f'Plugin "{entry.name}" ({_place(entry)}) implements an unknown hook: '
            f"{_first_line(error)}. {_REMEDY}"
        ) from error
    if not manager.get_hookcallers(module):
        raise PluginError(
            f'Plugin "{entry.name}" ({_place(entry)}) implements no hook: decorate a function '
            "called register_call_types or register_destinations with @hookimpl."
        )


def _call(manager: pluggy.PluginManager, module: Any, entry: EntryPoint, plugins: Plugins) -> None:
    """Let one plugin register what it offers. Raises PluginError if that is nothing."""
    offers_before = len(plugins)
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
            raise PluginError(
                f'Plugin "{entry.name}" ({_place(entry)}) failed in {hook}: '
                f"{type(error).__name__}: {_first_line(error)}. {_REMEDY}"
            ) from error
    if len(plugins) == offers_before:
        raise PluginError(
            f'Plugin "{entry.name}" ({_place(entry)}) registers nothing: its hook must call '
            f"`register` with each CallType or DestinationType. {_REMEDY}"
        )


def _place(entry: EntryPoint) -> str:
    """Package and version, as far as they are known."""
    if entry.dist is None:
        return entry.value
    return f"{entry.dist.name} {entry.dist.version}"


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else "no reason given"
