"""Reads the tap's configuration as the tap itself reads it; finds files that two settings share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from mssql_reverse_etl.errors import UsageError
from program_kit.command_line import read_config
from program_kit.report_file import report_path_of
from tap_mssql_query.tap import TapMSSQLQuery

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tap_mssql_query.settings.model import TapSettings
    from target_pipelines.run.configuration import Configuration


def read_tap_config(paths: Sequence[str]) -> tuple[dict[str, Any], TapSettings]:
    """The tap's configuration, and its settings. Raises UsageError or ConfigurationError."""
    config = read_config(paths, UsageError, TapMSSQLQuery.environment())
    tap = TapMSSQLQuery(config=config)
    return dict(tap.config), tap.settings


def find_shared_files(
    state: Path, tap_config: Mapping[str, Any], configuration: Configuration
) -> Iterator[str]:
    """A sentence for each file that a run would write for two purposes."""
    target_report = configuration.settings.report_path
    files: list[tuple[str, Path | None]] = [
        ("--state", state),
        ("`report_path` of the tap", report_path_of(tap_config)),
        ("`report_path` of the target", Path(target_report) if target_report else None),
    ]
    for settings in configuration.destinations:
        of = f"of {settings.destination_name}"
        files.append((f"`dead_letter_path` {of}", Path(settings.dead_letter_path)))
        if settings.destination == "file":
            files.append((f"`output_path` {of}", Path(settings.output_path)))
    owners: dict[Path, str] = {}
    for name, path in files:
        if path is None or (path.exists() and not path.is_file()):  # as /dev/null
            continue
        owner = owners.setdefault(path.resolve(), name)
        if owner != name:
            yield f"{owner} and {name} are the same file, {path}. Give each its own."
