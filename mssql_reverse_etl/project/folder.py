"""Where a project keeps its files, which needs no look into the project file. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mssql_reverse_etl.project import FOLDER

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class ProjectFolder:
    """The folder of the state, history and dead letters of the project file at `project`."""

    project: Path

    @property
    def path(self) -> Path:
        """The folder, beside the project file."""
        return self.project.absolute().parent / FOLDER

    @property
    def state(self) -> Path:
        """The state file."""
        return self.path / "state.json"

    @property
    def history(self) -> Path:
        """The history."""
        return self.path / "history.db"
