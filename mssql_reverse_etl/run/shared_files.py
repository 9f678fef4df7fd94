"""Finds files that a run would write for two purposes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from program_kit.report_file import report_path_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from target_pipelines.run.configuration import Configuration


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
