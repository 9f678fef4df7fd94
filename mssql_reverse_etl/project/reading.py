"""Reads a project file and replaces its variables, without a look at what it says."""

from __future__ import annotations

import os
from io import StringIO
from typing import TYPE_CHECKING, Any

from mssql_reverse_etl.errors import UsageError
from mssql_reverse_etl.project.document import InvalidDocument, parse_document
from mssql_reverse_etl.project.variables import expand
from program_kit.environment import read_as
from program_kit.json_schema import describe_setting
from program_kit.problems import Problem
from program_kit.text_files import UNREADABLE, describe_read_error, read_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mssql_reverse_etl.project.document import Document
    from program_kit.problems import Path as ValuePath


def read_document(path: Path) -> Document:
    """The project file, an object. Raises UsageError."""
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
    from dotenv import dotenv_values  # noqa: PLC0415 - slow, and often there is no such file

    values = dotenv_values(stream=StringIO(text), interpolate=False)
    return {name: value for name, value in values.items() if value is not None}


def expand_document(data: Mapping[str, Any], path: Path) -> tuple[dict[str, Any], list[Problem]]:
    """The data of a project file, or members of it, with its variables replaced.

    There are numbers and booleans where the settings are; the problems are at the variables that
    are not set, or have a value of another type. Raises UsageError.
    """
    variables = {**_read_variables(path.absolute().with_name(".env")), **os.environ}
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
        from mssql_reverse_etl.project.schema import schema_at  # noqa: PLC0415 - slow

        try:
            return read_as(schema_at(path), text)
        except UNREADABLE as reason:
            note(path, str(reason))
            return text

    return expand(dict(data), variables, note_missing, convert), problems
