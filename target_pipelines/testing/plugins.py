"""The contract of a plugin's module: its hooks, and that its names are free."""

from __future__ import annotations

from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING

from target_pipelines.api.errors import PluginError
from target_pipelines.api.hookspecs import PROJECT
from target_pipelines.plugins.loading import HOOKS, built_in_entry_points, load_plugins

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType


def check_plugin(module: ModuleType | str, *, blocked: Sequence[str] = ()) -> None:
    """Load a plugin beside the built-in ones. Raises AssertionError, which says what is wrong.

    It finds misspelt hooks, a missing `@hookimpl`, invalid attributes, and names that another
    plugin has.

    Args:
        module: the plugin, or the name of its module, as in its entry point.
        blocked: built-in plugins that it replaces.
    """
    name = module if isinstance(module, str) else module.__name__
    loaded = import_module(name)
    for function in vars(loaded):
        near = get_close_matches(function, HOOKS, n=1, cutoff=0.85)
        if near and function not in HOOKS and callable(getattr(loaded, function)):
            raise AssertionError(
                f'Plugin "{name}" has a function {function}, which is no hook: did you mean '
                f"{near[0]}?"
            )
    own = EntryPoint(name=f"{name} (under test)", value=name, group=PROJECT)
    try:
        load_plugins(blocked, [*built_in_entry_points(), own])
    except PluginError as error:
        raise AssertionError(str(error)) from error
