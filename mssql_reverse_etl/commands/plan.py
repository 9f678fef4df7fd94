"""`mssql-reverse-etl plan`."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

from mssql_reverse_etl.commands.log_option import log_format_option
from mssql_reverse_etl.commands.project_option import project_option, project_path
from mssql_reverse_etl.commands.window_options import window_options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mssql_reverse_etl.run.sources import RunSources
    from tap_mssql_query.sync.run_options import RunOptions


@click.command()
@project_option
@log_format_option
@click.argument("names", nargs=-1, metavar="[NAME…]")
@click.option(
    "--resync", multiple=True, metavar="NAME",
    help="As if this sync were read from the beginning. Repeatable.",
)  # fmt: skip
@window_options
@click.option("--json", "is_json", is_flag=True, help="Print one JSON array.")
def plan(
    *,
    names: Sequence[str],
    resync: Sequence[str],
    limit: int | None,
    since: int | None,
    until: int | None,
    is_json: bool,
) -> None:
    """Count what a run would send now.

    All queries run and all calls are made, but nothing is sent, and nothing moves. With names,
    these syncs alone.
    """
    from mssql_reverse_etl.project.loading import load_project  # noqa: PLC0415 - slow
    from mssql_reverse_etl.run.sources import read_project  # noqa: PLC0415 - slow
    from tap_mssql_query.sync.run_options import RunOptions  # noqa: PLC0415 - slow

    options = RunOptions(resync=resync, limit=limit, since=since, until=until)
    with ExitStack() as stack:
        sources = read_project(load_project(project_path()), stack)
        code = print_plan(sources, names, options, is_json=is_json)
    sys.exit(code)


def print_plan(
    sources: RunSources, names: Sequence[str], options: RunOptions, *, is_json: bool = False
) -> int:
    """Print the plan of a run with these names and options; the exit code of the run.

    Raises UsageError.
    """
    from mssql_reverse_etl.planning.planning import Planning  # noqa: PLC0415 - slow
    from mssql_reverse_etl.run.chosen_syncs import find_chosen  # noqa: PLC0415 - slow
    from mssql_reverse_etl.run.note import describe_options  # noqa: PLC0415 - with it
    from mssql_reverse_etl.screens.json_rows import print_json  # noqa: PLC0415 - with it
    from mssql_reverse_etl.screens.output import print_screen  # noqa: PLC0415 - with it
    from mssql_reverse_etl.screens.plan import plan_screen  # noqa: PLC0415 - with it
    from program_kit.humane import count_of  # noqa: PLC0415 - with it
    from target_pipelines.run.retry import count_retryable  # noqa: PLC0415 - with it

    settings = find_chosen(sources, names, options)
    made, code = Planning(settings=settings, sources=sources, options=options).plan()
    if is_json:
        print_json(sync.to_json() for sync in made.syncs)
    else:
        notes = [describe_options(options, has_run=False)]
        if options.limit is None and (again := count_retryable(sources.configuration)):
            notes.append(f"It would also send {count_of(again, 'rejected call')} again.")
        print_screen(plan_screen(made, note=" ".join(filter(None, notes))))
    return code
