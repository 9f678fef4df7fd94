"""`mssql-reverse-etl status`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from mssql_reverse_etl.commands.project_option import project_option, project_path

if TYPE_CHECKING:
    from pathlib import Path

    from mssql_reverse_etl.history.reading import HistoryReader

NO_RUN = "No run yet. Start one with `mssql-reverse-etl run`."


@click.command()
@project_option
@click.option("--json", "is_json", is_flag=True, help="Print one JSON array.")
def status(*, is_json: bool) -> None:
    """Show each sync: its last run, its bookmark, and when it is due."""
    from mssql_reverse_etl.history.reading import reading_history  # noqa: PLC0415 - slow
    from mssql_reverse_etl.history.sync_status import find_statuses  # noqa: PLC0415 - slow
    from mssql_reverse_etl.project.folder import ProjectFolder  # noqa: PLC0415 - with it
    from mssql_reverse_etl.project.syncs import read_syncs  # noqa: PLC0415 - with it
    from mssql_reverse_etl.run.state_file import StateFile  # noqa: PLC0415 - with it

    syncs = read_syncs(project_path())
    folder = ProjectFolder(project_path())
    state = StateFile(folder.state).read()
    with reading_history(folder.history) as history:
        found = list(find_statuses(syncs, state, history.last_run_of, now=int(time.time())))
        running_since = _running_since(folder.state, history)
    if is_json:
        from mssql_reverse_etl.screens.json_rows import print_json  # noqa: PLC0415 - with it

        print_json(each.to_json() for each in found)
        return
    from mssql_reverse_etl.screens.output import print_screen  # noqa: PLC0415 - slow
    from mssql_reverse_etl.screens.status import status_screen  # noqa: PLC0415 - with it

    print_screen(status_screen(found, running_since))
    if not any(each.last_run for each in found) and running_since is None:
        from program_kit.console import print_plain  # noqa: PLC0415 - with the screen

        print_plain(f"\n{NO_RUN}\n")


def _running_since(state: Path, history: HistoryReader) -> str | None:
    """When the run began that is in progress; empty if it is not known, None if there is none."""
    from mssql_reverse_etl.run.state_file import StateFile  # noqa: PLC0415 - with the others

    try:
        is_running = StateFile(state).is_in_use()
    except OSError:  # the lock is another user's
        return None
    return (history.unfinished_since() or "") if is_running else None
