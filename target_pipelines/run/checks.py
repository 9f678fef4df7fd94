"""What can be known of destinations without sending anything."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from program_kit.findings import CheckResult, Finding, Level
from target_pipelines.destinations.http import HttpProfile
from target_pipelines.destinations.reachability import check_reachable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from target_pipelines.api.settings import TargetSettings
    from target_pipelines.run.configuration import Configuration


def check_destinations(configuration: Configuration) -> Iterator[CheckResult]:
    """The findings about each destination: its files, and whether its API can be reached."""
    for settings in configuration.destinations:
        yield CheckResult(
            f"destination {settings.destination_name}", [*_findings(configuration, settings)]
        )


def call_schemas(configuration: Configuration) -> dict[str, Mapping[str, Any]]:
    """What each destination's API requires of every call, by the destination's name."""
    return {
        settings.destination_name: profile.call_schema
        for settings in configuration.destinations
        if (profile := _profile_of(configuration, settings))
    }


def _findings(configuration: Configuration, settings: TargetSettings) -> Iterator[Finding]:
    yield from _check_folder("dead_letter_path", Path(settings.dead_letter_path))
    if settings.destination == "file":
        yield from _check_folder("output_path", Path(settings.output_path))
        yield Finding(Level.OK, f"Calls are appended to {settings.output_path}.")
    elif profile := _profile_of(configuration, settings):
        yield check_reachable(profile.base_url(settings), settings)
    else:
        yield Finding(Level.OK, "It is a plugin's, and was not tried.")


def _check_folder(setting: str, path: Path) -> Iterator[Finding]:
    """An error if no file can be written there; a folder that is missing is no help."""
    folder = path.absolute().parent
    if not folder.is_dir():
        problem = f"its folder {folder} does not exist. Make it"
    elif path.exists() and not os.access(path, os.W_OK):
        problem = f"{path} cannot be written by this user. Correct its permissions"
    elif not path.exists() and not os.access(folder, os.W_OK):
        problem = f"no file can be made in {folder} by this user. Correct its permissions"
    else:
        return
    yield Finding(Level.ERROR, f"Setting `{setting}`: {problem}.")


def _profile_of(configuration: Configuration, settings: TargetSettings) -> HttpProfile | None:
    profile = configuration.plugins.destinations[settings.destination].profile
    return profile if isinstance(profile, HttpProfile) else None
