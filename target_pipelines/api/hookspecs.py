"""The hooks that plugins implement."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from collections.abc import Callable

    from target_pipelines.api.call_types import CallType
    from target_pipelines.api.destinations import DestinationType

PROJECT = "target_pipelines"
"""The name of the pluggy project and of the entry-point group."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def register_call_types(register: Callable[[CallType], None]) -> None:
    """Call `register` with each call type of the plugin."""


@hookspec
def register_destinations(register: Callable[[DestinationType], None]) -> None:
    """Call `register` with each destination of the plugin."""
