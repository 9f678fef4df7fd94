"""The syncs of a run or a plan, once the names and options of the command line are checked."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mssql_reverse_etl.errors import UsageError
from mssql_reverse_etl.project.names import choose_syncs, find_unknown_names
from mssql_reverse_etl.run.shared_files import find_shared_files
from tap_mssql_query.sync.run_options import find_problems

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mssql_reverse_etl.run.sources import RunSources
    from tap_mssql_query.settings.model import TapSettings
    from tap_mssql_query.sync.run_options import RunOptions


def find_chosen(sources: RunSources, names: Sequence[str], options: RunOptions) -> TapSettings:
    """The tap's settings with the syncs to run. Raises UsageError with all problems.

    A window is only checked against the queries of these syncs.
    """
    sources.file.read()  # a damaged file fails before any query runs
    known = {sync.name for sync in sources.settings.syncs}
    chosen = replace(options, locked=[name for name in names if name in known])
    if problems := [
        *find_problems(chosen, sources.settings.syncs),
        *find_shared_files(sources.file.path, sources.tap, sources.configuration),
        *find_unknown_names(names, sources.settings),
    ]:
        raise UsageError(*problems)
    return choose_syncs(names, sources.settings)
