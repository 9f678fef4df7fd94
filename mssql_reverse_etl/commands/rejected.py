"""`mssql-reverse-etl rejected`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mssql_reverse_etl.commands.project_option import project_option, project_path
from mssql_reverse_etl.errors import UsageError

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Sequence

    from mssql_reverse_etl.dead_letters.groups import LetterGroup
    from mssql_reverse_etl.project.loading import Project


@click.command()
@project_option
@click.argument("name", required=False, metavar="[NAME]")
@click.option("--json", "is_json", is_flag=True, help="Print one JSON array.")
@click.option("--show", "is_shown", is_flag=True, help="Show records and calls: personal data.")
@click.option(
    "--replay", "is_replay", is_flag=True,
    help="Send the rejected calls again; those that fail again stay.",
)  # fmt: skip
def rejected(*, name: str | None, is_json: bool, is_shown: bool, is_replay: bool) -> None:
    """Show the rejected calls, or those of one sync, by reason."""
    if is_replay and (is_json or is_shown):
        raise UsageError("--replay shows nothing. Leave --json and --show out.")
    from mssql_reverse_etl.dead_letters.groups import (  # noqa: PLC0415 - slow
        group_letters,
        read_letters,
    )
    from mssql_reverse_etl.project.loading import load_project  # noqa: PLC0415 - slow

    project = load_project(project_path())
    found = {
        path: group_letters(read_letters(path), is_shown=is_shown) for path in _find_files(project)
    }
    _check_name(name, project, [group.sync for groups in found.values() for group in groups])
    wanted = {
        path: [group for group in groups if name in (None, group.sync)]
        for path, groups in found.items()
    }
    if is_replay and any(wanted.values()):
        from mssql_reverse_etl.dead_letters.replaying import replay_letters  # noqa: PLC0415 - slow

        paths = [path for path, groups in wanted.items() if groups]
        code, counts = replay_letters(project, paths, name)
        _print_replay(counts)
        sys.exit(code)
    groups = [group for groups in wanted.values() for group in groups]
    groups.sort(key=lambda each: (each.sync, each.destination, -each.calls))
    _print(groups, is_json=is_json)


def _print_replay(counts: Counter[str]) -> None:
    from program_kit.console import print_plain  # noqa: PLC0415 - slow
    from program_kit.humane import count_of  # noqa: PLC0415 - with it

    rejected = (
        f"; {counts['rejected']:,} were rejected again and stay" if counts["rejected"] else ""
    )
    skipped = f"; {counts['filtered']:,} were superseded and not sent" if counts["filtered"] else ""
    total = count_of(counts.total(), "rejected call")
    print_plain(f"Delivered {counts['delivered']:,} of {total}{rejected}{skipped}.\n")


def _find_files(project: Project) -> Sequence[Path]:
    """The dead-letter files of all destinations."""
    destinations = project.configuration.destinations
    return list(dict.fromkeys(Path(each.dead_letter_path) for each in destinations))


def _check_name(name: str | None, project: Project, with_letters: Sequence[str]) -> None:
    """Raise UsageError for a sync that the project lacks, and that has no letters either."""
    from mssql_reverse_etl.project.names import describe_unknown_name  # noqa: PLC0415 - slow

    known = list(dict.fromkeys([*(sync["name"] for sync in project.tap["syncs"]), *with_letters]))
    if name is not None and name not in known:
        raise UsageError(describe_unknown_name(name, known))


def _print(groups: Sequence[LetterGroup], *, is_json: bool) -> None:
    if is_json:
        from mssql_reverse_etl.screens.json_rows import print_json  # noqa: PLC0415 - slow

        print_json(group.to_json() for group in groups)
    elif groups:
        from mssql_reverse_etl.screens.output import print_screen  # noqa: PLC0415 - slow
        from mssql_reverse_etl.screens.rejected import rejected_screen  # noqa: PLC0415 - with it

        print_screen(rejected_screen(groups))
    else:
        from program_kit.console import print_plain  # noqa: PLC0415 - slow

        print_plain("No rejected calls.\n")
