"""The options of a run as arguments of the tap. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tap_mssql_query.sync.run_options import RunOptions


def tap_options_of(options: RunOptions) -> list[str]:
    """The arguments."""
    named = (("--resync", options.resync), ("--start-now", options.start_now))
    values = (("--since", options.since), ("--until", options.until), ("--limit", options.limit))
    return [
        *(argument for option, names in named for name in names for argument in (option, name)),
        *(
            argument
            for option, value in values
            if value is not None
            for argument in (option, str(value))
        ),
    ]
