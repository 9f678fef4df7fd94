"""Names of syncs on the command line. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from program_kit.json_schema import nearest_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tap_mssql_query.settings.model import TapSettings


def find_unknown_names(names: Sequence[str], settings: TapSettings) -> Iterator[str]:
    """A sentence for each name that no sync has, with the nearest one."""
    known = [sync.name for sync in settings.syncs]
    for name in names:
        if name not in known:
            yield describe_unknown_name(name, known)


def describe_unknown_name(name: str, known: Sequence[str]) -> str:
    """A sentence about a name that no sync has, with the nearest one."""
    near = nearest_name(name, known)
    hint = f"; did you mean {near}?" if near else f". Known are {', '.join(known)}."
    return f'There is no sync "{name}"{hint}'


def choose_syncs(names: Sequence[str], settings: TapSettings) -> TapSettings:
    """The settings with the named syncs alone; with all if none is named."""
    chosen = tuple(sync for sync in settings.syncs if not names or sync.name in names)
    return replace(settings, syncs=chosen)
