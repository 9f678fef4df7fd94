"""Loads a project: the file, its variables, and both programs' settings, with all problems."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import reduce
from io import StringIO
from operator import getitem
from typing import TYPE_CHECKING, Any

from dotenv import dotenv_values

from mssql_reverse_etl.errors import UsageError
from mssql_reverse_etl.project.document import InvalidDocument, parse_document
from mssql_reverse_etl.project.schema import HISTORY_SCHEMA, schema_at
from mssql_reverse_etl.project.variables import expand, has_variable
from program_kit.environment import read_as
from program_kit.json_schema import describe_setting, describe_violation, find_schema_errors
from program_kit.problems import Problem, below, path_of
from program_kit.settings import COMMENT_KEY, without_comments
from program_kit.text_files import UNREADABLE, describe_read_error, read_text
from tap_mssql_query.settings.validation import find_problems
from target_pipelines.api.errors import ConfigurationError, PluginError
from target_pipelines.run.configuration import load_configuration

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from mssql_reverse_etl.project.document import Document
    from mssql_reverse_etl.project.document import Path as ValuePath

FILE_NAME = "reverse_etl.yml"
FOLDER = ".reverse_etl"
"""Beside the file: the state, dead letters, history and schema."""

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
        target: the configuration of the target.
        history: how much of the past is kept.
    """

    path: Path
    tap: Mapping[str, Any]
    target: Mapping[str, Any]
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
    if isinstance(data.get("target"), dict):
        problems += _find_target_problems(target)
    faulty = {path_of(problem) for problem in unset}  # whatever else is wrong there follows
    problems = [*unset, *(problem for problem in problems if path_of(problem) not in faulty)]
    if problems:
        raise UsageError(*_describe(path, document, problems))
    return Project(path=path, tap=tap, target=target, history=_object_of(data, "history"))


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
    data = expand(
        document.data,
        variables,
        lambda path, name: problems.append(
            Problem(
                f"{describe_setting(path)}: the variable {name} is not set. Set it in the "
                "environment or in .env beside this file, or write ${" + name + ":-default}.",
                path,
            )
        ),
    )
    missing = {path_of(problem) for problem in problems}
    for path, value in _texts_of(document.data):
        schema = schema_at(path)
        if not has_variable(value) or path in missing:
            continue
        *parents, last = path
        holder = reduce(getitem, parents, data)
        try:
            holder[last] = read_as(schema, holder[last])
        except UNREADABLE as reason:
            problems.append(Problem(f"{describe_setting(path)}: {reason}.", path))
    return data, problems


def _texts_of(value: Any, path: ValuePath = ()) -> Iterator[tuple[ValuePath, str]]:
    members = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, member in members:
        if isinstance(member, str):
            yield (*path, key), member
        else:
            yield from _texts_of(member, (*path, key))


def _of_tap(problem: str) -> Problem:
    """A problem of the tap's configuration, whose `syncs` stand beside `tap` here."""
    return below(() if path_of(problem)[:1] == ("syncs",) else ("tap",), problem)


def _find_target_problems(config: Mapping[str, Any]) -> Iterator[Problem]:
    try:
        load_configuration(config)
    except ConfigurationError as error:
        yield from (below(("target",), problem) for problem in error.problems)
    except PluginError as error:
        yield Problem(str(error), ("target",))


def _object_of(data: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = data.get(name)
    return dict(value) if isinstance(value, dict) else {}


def _describe(path: Path, document: Document, problems: Iterable[Problem]) -> Iterator[str]:
    """The problems in the order of the file; each once."""
    placed = {(document.place_of(path_of(problem)), str(problem)) for problem in problems}
    for place, problem in sorted(placed):
        yield f"{path}:{place.line}:{place.column}: {problem}"
