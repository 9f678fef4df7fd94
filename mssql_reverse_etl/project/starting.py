"""Writes a starter project, without changing any file that is there."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import TYPE_CHECKING

from mssql_reverse_etl.errors import UsageError
from mssql_reverse_etl.project import FILE_NAME, FOLDER
from mssql_reverse_etl.project.schema import editor_schema

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

IGNORED = (".env", f"{FOLDER}/")
_STARTER: Mapping[str, str] = {
    FILE_NAME: "reverse_etl.yml",
    "queries/users.sql": "users.sql",
    ".env.example": "env.example",
    ".gitignore": "gitignore",
}
"""Each file of the project, and the template that it begins with."""


def schema_text() -> str:
    """The JSON Schema of the project file, for editors."""
    return json.dumps(editor_schema(), indent=2) + "\n"


def write_project(folder: Path) -> Iterator[tuple[str, bool]]:
    """Write the files that are missing; yields each with whether it was written.

    The schema, which belongs to the installed version, is written in any case. Raises OSError or
    UsageError.
    """
    templates = files("mssql_reverse_etl.project") / "starter"
    folder.mkdir(parents=True, exist_ok=True)
    make_private_folder(folder)
    (folder / FOLDER / "schema.json").write_text(schema_text(), encoding="utf-8")
    for name, template in _STARTER.items():
        path = folder / name
        is_new = not path.exists() and not path.is_symlink()
        if is_new:
            path.parent.mkdir(exist_ok=True)
            with path.open("x", encoding="utf-8") as file:
                file.write((templates / template).read_text(encoding="utf-8"))
        yield name, is_new


def make_private_folder(folder: Path) -> None:
    """Make the folder of a project's state, for its owner alone. Raises UsageError."""
    try:
        (folder / FOLDER).mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"{folder / FOLDER} cannot be made: {error.strerror}. Let this user write to its "
            "folder."
        ) from error


def missing_from_gitignore(folder: Path) -> list[str]:
    """What a .gitignore that was there before should ignore. Raises OSError."""
    lines = (folder / ".gitignore").read_text(encoding="utf-8").split()
    return [entry for entry in IGNORED if entry not in lines and entry.rstrip("/") not in lines]
