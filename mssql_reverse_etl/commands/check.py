"""`mssql-reverse-etl check`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from mssql_reverse_etl.commands.project_option import project_option, project_path
from mssql_reverse_etl.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from program_kit.findings import CheckResult


@click.command()
@project_option
@click.argument("names", nargs=-1, metavar="[NAME…]")
def check(*, names: Sequence[str]) -> None:
    """Check settings, databases, queries and destinations.

    Nothing is sent. With names, only these syncs are checked.
    """
    from mssql_reverse_etl.project.loading import load_project  # noqa: PLC0415 - slow
    from mssql_reverse_etl.project.names import (  # noqa: PLC0415 - with it
        choose_syncs,
        find_unknown_names,
    )
    from mssql_reverse_etl.project.starting import make_private_folder  # noqa: PLC0415 - with it
    from mssql_reverse_etl.run.state_file import StateFile  # noqa: PLC0415 - with it
    from program_kit.console import print_findings, print_plain  # noqa: PLC0415 - with it
    from tap_mssql_query.tap import TapMSSQLQuery  # noqa: PLC0415 - slow
    from target_pipelines.encoding.column_check import InstalledCallTypes  # noqa: PLC0415 - slow
    from target_pipelines.run.checks import call_schemas, check_destinations  # noqa: PLC0415 - slow

    project = load_project(project_path())
    make_private_folder(project.path.parent)  # git ignores it, so that a clone has none
    file = StateFile(project.state)
    state = file.read() if file.exists() else {}
    tap = TapMSSQLQuery(config=dict(project.tap), state=state)
    configuration = project.configuration
    if problems := list(find_unknown_names(names, tap.settings)):
        raise UsageError(*problems)
    tap.settings = choose_syncs(names, tap.settings)
    call_types = InstalledCallTypes(configuration.plugins.call_types, call_schemas(configuration))
    of_tap = [*tap.find_results(call_types), *_check_state(state, project.tap["syncs"])]
    of_target = list(check_destinations(configuration))
    print_findings([*of_tap, *of_target])
    print_plain(f"{_summarize(len(tap.settings.syncs), [*of_tap, *of_target])}\n")
    sys.exit(_exit_code(of_tap, of_target))


def _check_state(
    state: Mapping[str, Any], syncs: Sequence[Mapping[str, Any]]
) -> Iterator[CheckResult]:
    """A warning for each bookmark that belongs to no sync."""
    from program_kit.findings import CheckResult, Finding, Level  # noqa: PLC0415 - with the others

    names = {sync["name"] for sync in syncs} | {sync.get("renamed_from") for sync in syncs}
    bookmarks = state.get("bookmarks")
    lost = [name for name in bookmarks if name not in names] if isinstance(bookmarks, dict) else []
    if lost:
        yield CheckResult(
            "state",
            [
                Finding(
                    Level.WARNING,
                    f"There is a bookmark of {name}, which is no sync. If it was renamed, set "
                    "`renamed_from` in the new one; else it does no harm.",
                )
                for name in lost
            ],
        )


def _summarize(syncs: int, results: Sequence[CheckResult]) -> str:
    """The last line: "25 syncs, 0 errors, 1 warning"."""
    labels = [finding.level.label for result in results for finding in result.findings]
    counts = {"sync": syncs, "error": labels.count("error"), "warning": labels.count("warning")}
    return ", ".join(f"{count} {name}{'' if count == 1 else 's'}" for name, count in counts.items())


def _exit_code(of_tap: Sequence[CheckResult], of_target: Sequence[CheckResult]) -> int:
    """2 for what the project must correct; else 3 or 4 for a server or an API; 0 for neither."""
    from program_kit.findings import Level  # noqa: PLC0415 - with the others

    levels = [
        {finding.level for result in results for finding in result.findings}
        for results in (of_tap, of_target)
    ]
    if Level.ERROR in levels[0] | levels[1]:
        return 2
    if Level.SERVER_ERROR in levels[0]:
        return 3
    return 4 if Level.SERVER_ERROR in levels[1] else 0
