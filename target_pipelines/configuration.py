"""A configuration → settings, plugins and destination, with every problem reported at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from target_pipelines.errors import ConfigurationError
from target_pipelines.plugin_host import Plugins, load_plugins
from target_pipelines.settings import TargetSettings, parse_settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from target_pipelines.destinations import DestinationType


@dataclass(frozen=True, slots=True)
class Configuration:
    """Everything that a run is made of."""

    settings: TargetSettings
    plugins: Plugins
    destination: DestinationType


def load_configuration(config: Mapping[str, Any]) -> Configuration:
    """Check a configuration and load what it names.

    Raises:
        ConfigurationError: with a sentence for every problem.
        PluginError: a plugin cannot be used.
    """
    settings, problems = parse_settings(config)
    plugins = load_plugins(settings.blocked_plugins)
    problems += _find_problems(settings, plugins)
    if problems:
        raise ConfigurationError(*problems)
    return Configuration(settings, plugins, plugins.destinations[settings.destination])


def _find_problems(settings: TargetSettings, plugins: Plugins) -> Iterator[str]:
    if settings.destination in plugins.destinations:
        yield from plugins.destinations[settings.destination].find_problems(settings)
    else:
        yield (
            f'Setting `destination`: "{settings.destination}" is offered by no plugin. Known are '
            f"{', '.join(plugins.destinations.names())}."
        )
    for stream, name in settings.call_types.items():
        if name not in plugins.call_types:
            yield (
                f'Setting `call_types.{stream}`: "{name}" is offered by no plugin. Known are '
                f"{', '.join(plugins.call_types.names())}."
            )
