"""What a project file says of its syncs, read fast: for commands that start no program."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mssql_reverse_etl.project.reading import expand_document, read_document
from program_kit.timestamps import parse_iso_timestamp
from tap_mssql_query.settings.frequency import parse_frequency

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectSync:
    """When a sync runs; times in unix seconds."""

    name: str
    call_type: str
    is_enabled: bool = True
    frequency_seconds: int | None = None
    start_at: int | None = None
    renamed_from: str | None = None


def read_syncs(path: Path) -> Sequence[ProjectSync]:
    """The syncs of a project file, in its order.

    Neither program's settings are looked at, nor any variable outside of `syncs`. Raises UsageError
    with all problems of the file if its syncs cannot be used.
    """
    document = read_document(path)
    data, unset = expand_document({"syncs": document.data.get("syncs")}, path)
    try:
        if not unset:
            return [_parse(sync) for sync in data["syncs"]]
    except (TypeError, KeyError, ValueError, AttributeError):
        pass
    from mssql_reverse_etl.project.loading import load_project  # noqa: PLC0415 - slow

    return [_parse(sync) for sync in load_project(path).tap["syncs"]]  # it raises what is wrong


def _parse(sync: Mapping[str, Any]) -> ProjectSync:
    frequency, start_at = sync.get("frequency"), sync.get("start_at")
    former = sync.get("renamed_from")
    return ProjectSync(
        name=_text(sync["name"]),
        call_type=_text(sync["type"]),
        is_enabled=_boolean(sync.get("enabled", True)),
        frequency_seconds=None if frequency is None else parse_frequency(frequency),
        start_at=None if start_at is None else parse_iso_timestamp(start_at),
        renamed_from=None if former is None else _text(former),
    )


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value
