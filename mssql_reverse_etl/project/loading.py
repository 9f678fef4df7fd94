"""Loads a project: the file, its variables, and both programs' settings, with all problems."""

from __future__ import annotations

import os
from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING, Any

from dotenv import dotenv_values

from mssql_reverse_etl.errors import UsageError
from mssql_reverse_etl.project import FOLDER
from mssql_reverse_etl.project.document import InvalidDocument, parse_document
from mssql_reverse_etl.project.schema import HISTORY_SCHEMA, schema_at
from mssql_reverse_etl.project.variables import expand
from program_kit.environment import read_as
from program_kit.json_schema import describe_setting, describe_violation, find_schema_errors
from program_kit.problems import Problem, below, path_of
from program_kit.settings import COMMENT_KEY, without_comments
from program_kit.text_files import UNREADABLE, describe_read_error, read_text
from tap_mssql_query.settings.model import parse_settings
from tap_mssql_query.settings.validation import find_problems
from target_pipelines.api.errors import ConfigurationError, PluginError
from target_pipelines.run.configuration import load_configuration

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from mssql_reverse_etl.project.document import Document
    from program_kit.problems import Path as ValuePath
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
        return self.path.parent / FOLDER

    @property
    def state(self) -> Path:
        """The state file."""
        return self.folder / "state.json"


def load_project(path: Path) -> Project:
    """Load a project; the current folder becomes that of the file, to which paths are relative.

    Raises UsageError with all problems of both halves, each with file, line and column.
    """
    document = _read(path)
    path = path.absolute()
    os.chdir(path.parent)
    data, unset = _expand(document, {**_read_variables(path.with_name(".env")), **os.environ})
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


def _read(path: Path) -> Document:
    try:
        document = parse_document(read_text(path))
    except UNREADABLE as error:
        if isinstance(error, InvalidDocument):
            raise UsageError(f"{path}:{error.place.line}:{error.place.column}: {error}.") from None
        raise UsageError(
            f"The project file {path} cannot be read: {describe_read_error(error)}. Name another "
            "with --project, or make one with `mssql-reverse-etl init`."
        ) from error
    if not isinstance(document.data, dict):
        raise UsageError(f"{path}:1:1: a project is an object with `tap`, `target` and `syncs`.")
    return document


def _read_variables(path: Path) -> dict[str, str]:
    """The variables of a .env file; none if there is none. Raises UsageError."""
    try:
        text = read_text(path)
    except FileNotFoundError:
        return {}
    except UNREADABLE as error:
        raise UsageError(f"{path} cannot be read: {describe_read_error(error)}.") from error
    values = dotenv_values(stream=StringIO(text), interpolate=False)
    return {name: value for name, value in values.items() if value is not None}


def _expand(
    document: Document, variables: Mapping[str, str]
) -> tuple[dict[str, Any], list[Problem]]:
    """The data with its variables replaced: numbers and booleans where the settings are."""
    problems: list[Problem] = []

    def note(path: ValuePath, problem: str) -> None:
        problems.append(Problem(f"{describe_setting(path)}: {problem}.", path))

    def note_missing(path: ValuePath, name: str) -> None:
        note(
            path,
            f"the variable {name} is not set. Set it in the environment or in .env beside this "
            "file, or write ${" + name + ":-default}",
        )

    def convert(path: ValuePath, text: str) -> Any:
        try:
            return read_as(schema_at(path), text)
        except UNREADABLE as reason:
            note(path, str(reason))
            return text

    return expand(document.data, variables, note_missing, convert), problems


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
