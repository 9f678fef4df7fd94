"""`mssql-reverse-etl runs`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mssql_reverse_etl.commands.project_option import project_option, project_path
from mssql_reverse_etl.commands.status import NO_RUN
from mssql_reverse_etl.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from mssql_reverse_etl.history.reading import HistoryReader


@click.command()
@project_option
@click.argument("name", required=False, metavar="[NAME]")
@click.option(
    "--last", "count", type=click.IntRange(1, 10**9), default=30, show_default=True,
    metavar="COUNT",
    help="How many runs.",
)  # fmt: skip
@click.option("--json", "is_json", is_flag=True, help="Print one JSON array.")
def runs(*, name: str | None, count: int, is_json: bool) -> None:
    """Show the last runs, or those of one sync, the newest first."""
    from mssql_reverse_etl.history.reading import reading_history  # noqa: PLC0415 - slow
    from mssql_reverse_etl.project.folder import ProjectFolder  # noqa: PLC0415 - with it

    known = _known_syncs()
    with reading_history(ProjectFolder(project_path()).history) as history:
        if name and name not in {*known, *history.sync_names()}:
            _refuse(name, [*known, *history.sync_names()])
        found = history.runs_of(name, count) if name else history.runs(count)
        if is_json:
            from mssql_reverse_etl.screens.json_rows import print_json  # noqa: PLC0415 - slow

            print_json(found)
        elif found:
            _show(name, found, history)
        else:
            from program_kit.console import print_plain  # noqa: PLC0415 - slow

            print_plain(f"{NO_RUN}\n")


def _known_syncs() -> Sequence[str]:
    """The syncs of the project. Raises UsageError if there is none."""
    from mssql_reverse_etl.project.syncs import read_syncs  # noqa: PLC0415 - slow

    return [sync.name for sync in read_syncs(project_path())]


def _refuse(name: str, known: Sequence[str]) -> None:
    from mssql_reverse_etl.project.names import describe_unknown_name  # noqa: PLC0415 - slow

    raise UsageError(describe_unknown_name(name, list(dict.fromkeys(known))))


def _show(name: str | None, found: Sequence[Mapping[str, Any]], history: HistoryReader) -> None:
    from mssql_reverse_etl.screens.output import print_screen  # noqa: PLC0415 - slow
    from mssql_reverse_etl.screens.runs import runs_screen, sync_runs_screen  # noqa: PLC0415 - with it

    print_screen(sync_runs_screen(found) if name else runs_screen(found, history.outcomes_of))
