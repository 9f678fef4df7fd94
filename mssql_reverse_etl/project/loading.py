"""Loads a project: the file, its variables, and both programs' settings, with all problems."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mssql_reverse_etl.errors import UsageError
from mssql_reverse_etl.project import FOLDER
from mssql_reverse_etl.project.folder import ProjectFolder
from mssql_reverse_etl.project.reading import expand_document, read_document
from mssql_reverse_etl.project.schema import HISTORY_SCHEMA
from program_kit.json_schema import describe_violation, find_schema_errors
from program_kit.problems import Problem, below, path_of
from program_kit.settings import COMMENT_KEY, without_comments
from tap_mssql_query.settings.model import parse_settings
from tap_mssql_query.settings.validation import find_problems
from target_pipelines.api.errors import ConfigurationError, PluginError
from target_pipelines.run.configuration import load_configuration

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from mssql_reverse_etl.project.document import Document
    from tap_mssql_query.settings.model import TapSettings
    from target_pipelines.run.configuration import Configuration

_SHAPE: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "tap": {"type": "object"},
        "target": {"type": "object"},
        "syncs": {"type": "array"},
        "history": HISTORY_SCHEMA,
    },
    "required": ["tap", "target", "syncs"],
    "additionalProperties": False,
    "patternProperties": {rf"^\{COMMENT_KEY}$": {}},
}
"""The outermost object; what is in `tap`, `target` and `syncs` is checked by both programs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A valid project.

    Attributes:
        path: the file.
        tap: the configuration of the tap.
        settings: the tap's settings, made of it.
        target: the configuration of the target.
        configuration: the target's settings and plugins, made of it.
        history: how much of the past is kept.
    """

    path: Path
    tap: Mapping[str, Any]
    settings: TapSettings
    target: Mapping[str, Any]
    configuration: Configuration
    history: Mapping[str, Any]

    @property
    def folder(self) -> Path:
        """Where its state and history are."""
        return ProjectFolder(self.path).path

    @property
    def state(self) -> Path:
        """The state file."""
        return ProjectFolder(self.path).state


def load_project(path: Path) -> Project:
    """Load a project; the current folder becomes that of the file, to which paths are relative.

    Raises UsageError with all problems of both halves, each with file, line and column.
    """
    document = read_document(path)
    path = path.absolute()
    os.chdir(path.parent)
    data, unset = expand_document(document.data, path)
    problems = [describe_violation(error) for error in find_schema_errors(_SHAPE, data)]
    tap, target = _object_of(data, "tap"), _object_of(data, "target")
    if "syncs" in tap:
        problems.append(Problem("`syncs` stands beside `tap`, not inside.", ("tap", "syncs")))
    tap |= {"syncs": data.get("syncs")}
    target = {"dead_letter_path": f"{FOLDER}/dead_letters.jsonl", **target}
    if isinstance(data.get("tap"), dict) and isinstance(data.get("syncs"), list):
        problems += map(_of_tap, find_problems(without_comments(tap)))
    configuration = None
    if isinstance(data.get("target"), dict):
        configuration, of_target = _load_target(target)
        problems += of_target
    faulty = {path_of(problem) for problem in unset}  # whatever else is wrong there follows
    problems = [*unset, *(problem for problem in problems if path_of(problem) not in faulty)]
    if problems or configuration is None:
        raise UsageError(*_describe(path, document, problems))
    return Project(
        path=path,
        tap=tap,
        settings=parse_settings(without_comments(tap)),
        target=target,
        configuration=configuration,
        history=_object_of(data, "history"),
    )


def _of_tap(problem: str) -> Problem:
    """A problem of the tap's configuration, whose `syncs` stand beside `tap` here."""
    return below(() if path_of(problem)[:1] == ("syncs",) else ("tap",), problem)


def _load_target(config: Mapping[str, Any]) -> tuple[Configuration | None, Sequence[Problem]]:
    """The target's configuration, or what is wrong with it."""
    try:
        return load_configuration(config), ()
    except ConfigurationError as error:
        return None, [below(("target",), problem) for problem in error.problems]
    except PluginError as error:
        return None, [Problem(str(error), ("target",))]


def _object_of(data: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = data.get(name)
    return dict(value) if isinstance(value, dict) else {}


def _describe(path: Path, document: Document, problems: Iterable[Problem]) -> Iterator[str]:
    """The problems in the order of the file; each once."""
    placed = {(document.place_of(path_of(problem)), str(problem)) for problem in problems}
    for place, problem in sorted(placed):
        yield f"{path}:{place.line}:{place.column}: {problem}"
