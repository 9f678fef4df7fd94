"""Configuration → checked settings and loaded plugins; reports all problems together."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from program_kit.problems import Problem, first_named
from program_kit.replaced_file import is_null_device
from target_pipelines.acknowledgements.dead_letter_file import is_letter_of, is_other_file
from target_pipelines.api.errors import ConfigurationError
from target_pipelines.api.settings import TargetSettings, parse_settings
from target_pipelines.api.settings_table import CONFIG_JSONSCHEMA
from target_pipelines.plugins.loading import PluginRegistry, load_plugins

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from program_kit.problems import Path as SettingPath


@dataclass(frozen=True, slots=True)
class Configuration:
    """What a run is built from.

    Attributes:
        settings: the settings of the whole run.
        destinations: the settings of each destination.
        plugins: the loaded call types and destinations.
        started_at: when the run began, in unix seconds; the same in all its processes.
        is_plan: whether calls are counted instead of being sent.
    """

    settings: TargetSettings
    destinations: Sequence[TargetSettings]
    plugins: PluginRegistry
    started_at: float = field(default_factory=time.time)
    is_plan: bool = False

    def is_letter_of(self, settings: TargetSettings, letter: Mapping[str, Any]) -> bool:
        """Whether a dead letter is of one of these destinations, perhaps under a former name."""
        is_only, kinds = len(self.destinations) == 1, self.plugins.destinations.names()
        return is_letter_of(letter, settings, is_only=is_only, kinds=kinds)


def load_configuration(config: Mapping[str, Any]) -> Configuration:
    """Check a configuration and load the plugins.

    Raises:
        ConfigurationError: lists every problem.
        PluginError: a plugin cannot be used.
    """
    parsed = parse_settings(config)
    plugins = load_plugins(parsed.run.blocked_plugins)
    problems = [*parsed.problems, *_find_unknown_call_types(parsed.run, plugins)]
    for number, settings in enumerate(parsed.destinations):
        several = ("destinations", number) if len(parsed.destinations) > 1 else ()
        found = (_located(problem, several) for problem in _find_problems(settings, plugins))
        problems += (
            Problem(f"`destinations`, {settings.destination_name}: {problem}", problem.path)
            if several
            else problem
            for problem in found
            if problem.path not in parsed.faulty  # it was reported
        )
    named = enumerate(parsed.destinations)
    problems += _find_shared(
        [each for n, each in named if ("destinations", n, "name") not in parsed.faulty]
    )
    if problems:
        raise ConfigurationError(*problems)
    return Configuration(parsed.run, parsed.destinations, plugins)


def _located(problem: str, entry: SettingPath) -> Problem:
    """A problem at the setting that the sentence names first."""
    return Problem(problem, (*entry, *first_named(problem, CONFIG_JSONSCHEMA["properties"])))


def _find_problems(settings: TargetSettings, plugins: PluginRegistry) -> Iterator[str]:
    yield from _find_file_problems(settings)
    if settings.destination in plugins.destinations:
        yield from plugins.find_problems(settings)
    else:
        yield (
            f'Setting `destination`: no plugin provides "{settings.destination}". Choose one of '
            f"{', '.join(plugins.destinations.names())}."
        )


def _find_unknown_call_types(
    settings: TargetSettings, plugins: PluginRegistry
) -> Iterator[Problem]:
    for stream, name in settings.call_types.items():
        if name is not None and name not in plugins.call_types:
            yield Problem(
                f'Setting `call_types.{stream}`: no plugin provides "{name}". Choose one of '
                f"{', '.join(plugins.call_types.names())}.",
                ("call_types", stream),
            )


def _find_file_problems(settings: TargetSettings) -> Iterator[str]:
    """A pipe would let the run wait for a reader, and /dev/null keeps nothing."""
    path = Path(settings.dead_letter_path)
    try:
        if path.is_fifo() or path.is_socket() or path.is_dir() or is_null_device(path):
            yield f"Setting `dead_letter_path`: {path} is not a file. Set the path of a file."
            return
        is_other = is_other_file(path)
    except PermissionError:
        yield (
            f"Setting `dead_letter_path`: {path} belongs to another user. Run as that user, or set "
            "another path."
        )
        return
    except OSError:  # the first dead letter says so
        return
    if is_other:
        yield (
            f"Setting `dead_letter_path`: {path} holds something other than dead letters. Set the "
            "path of a file of its own."
        )


def _find_shared(destinations: Sequence[TargetSettings]) -> Iterator[Problem]:
    """Values that must differ between destinations."""
    for name in _repeated(settings.destination_name for settings in destinations):
        yield Problem(
            f'Setting `destinations`: two are named "{name}". Give each a unique `name`.',
            ("destinations",),
        )
    for path in _repeated(
        str(Path(settings.dead_letter_path).absolute()) for settings in destinations
    ):
        yield Problem(
            f"Setting `destinations`: two have the `dead_letter_path` {path}. Give each its own.",
            ("destinations",),
        )
    files = [settings for settings in destinations if settings.destination == "file"]
    for path in _repeated(str(Path(settings.output_path).absolute()) for settings in files):
        yield Problem(
            f"Setting `destinations`: two have the `output_path` {path}. Give each its own.",
            ("destinations",),
        )


def _repeated(values: Iterable[str]) -> list[str]:
    return [value for value, count in Counter(values).items() if count > 1]
