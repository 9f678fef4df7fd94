"""`mssql-reverse-etl preview`."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

import click

from mssql_reverse_etl.commands.log_option import log_format_option
from mssql_reverse_etl.commands.project_option import project_option, project_path
from mssql_reverse_etl.commands.window_options import limit_option
from mssql_reverse_etl.errors import UsageError

if TYPE_CHECKING:
    from target_pipelines.run.preview import Preview

_ROWS = 10

logger = logging.getLogger(__name__)


@click.command()
@project_option
@log_format_option
@click.argument("name")
@limit_option(f"How many rows to read at most; {_ROWS} if not given.", _ROWS)
@click.option("--resync", is_flag=True, help="Read from the beginning instead of the bookmark.")
@click.option("--json", "is_json", is_flag=True, help="Print the calls alone, one per line.")
def preview(*, name: str, limit: int, resync: bool, is_json: bool) -> None:
    """Show the first rows of a sync, and the calls they become.

    The sync may be disabled, or not due. Nothing is sent, and nothing moves. Where stdout is no
    terminal, the bytes of the calls are printed, one call per line.
    """
    from rich.console import Console  # noqa: PLC0415 - slow

    from mssql_reverse_etl.planning.sampling import read_sample  # noqa: PLC0415 - slow
    from mssql_reverse_etl.project.loading import load_project  # noqa: PLC0415 - slow
    from mssql_reverse_etl.project.names import find_unknown_names  # noqa: PLC0415 - with it
    from mssql_reverse_etl.screens.output import print_screen  # noqa: PLC0415 - with it
    from mssql_reverse_etl.screens.preview import preview_screen  # noqa: PLC0415 - with it
    from target_pipelines.run.preview import preview_calls  # noqa: PLC0415 - slow

    project = load_project(project_path())
    if problems := list(find_unknown_names([name], project.settings)):
        raise UsageError(*problems)
    sample = read_sample(project, name, limit=limit, resync=resync)
    if sample.exit_code:
        _fail(name, sample.message, sample.exit_code)
    found = preview_calls(project.configuration, sample.messages)
    if found.error:
        _fail(name, str(found.error), found.error.exit_code)
    console = Console()
    if is_json or not console.is_terminal:
        _print_calls(found)
    else:
        print_screen(preview_screen(name, found, console, since=sample.since))


def _fail(name: str, message: str, exit_code: int) -> None:
    if message:
        logger.error("sync=%s cannot be previewed: %s", name, message)
    sys.exit(exit_code)


def _print_calls(found: Preview) -> None:
    """Print the bytes of the calls in the order of their rows; log which rows have none.

    With several destinations, as `--dry-run` of the target prints them.
    """
    from mssql_reverse_etl.screens.preview import describe_left_out  # noqa: PLC0415 - slow
    from program_kit.console import writing_to_stdout  # noqa: PLC0415 - with it
    from target_pipelines.run.dry_run import line_template  # noqa: PLC0415 - slow

    for sentence in describe_left_out(found):
        logger.warning("%s", sentence)
    names = list(found.destinations)
    with writing_to_stdout():
        for number in range(len(found.rows)):
            for name, rows in found.destinations.items():
                call = rows[number].call
                if call is not None:
                    sys.stdout.buffer.write(line_template(name, len(names)) % call)
        sys.stdout.buffer.flush()
