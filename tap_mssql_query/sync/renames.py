"""Syncs that were renamed: their bookmarks and messageIds go on. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from tap_mssql_query.sync.bookmarks import (
    FINGERPRINT_KEY,
    SYNC_TIME_KEY,
    UNFINISHED_KEY,
    is_unfinished,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tap_mssql_query.settings.model import SyncSettings

_FORMER_NAME_KEY = "renamed_from"
"""In a bookmark: the name that the sync's messageIds keep, also after further renamings."""


class Renamed(Protocol):
    """A sync that may have had another name."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def renamed_from(self) -> str | None:
        """Its former name."""


def carry_over(state: dict[str, Any], syncs: Sequence[Renamed]) -> dict[str, Any]:
    """The state in which renamed syncs have the bookmarks of their former names."""
    bookmarks = dict(state.get("bookmarks", {}))
    for sync in syncs:
        former = sync.renamed_from
        if former and bookmarks.get(former) and not bookmarks.get(sync.name):
            bookmarks[sync.name] = {_FORMER_NAME_KEY: former, **bookmarks.pop(former)}
    return {**state, "bookmarks": bookmarks} if bookmarks else state


def former_name_of(sync: SyncSettings, state: Mapping[str, Any]) -> str | None:
    """The name that the sync's messageIds keep; None if it was never renamed."""
    known = state.get("bookmarks", {}).get(sync.name, {}).get(_FORMER_NAME_KEY)
    return known if isinstance(known, str) else sync.renamed_from


def find_missed_renaming(
    sync: SyncSettings, syncs: Sequence[SyncSettings], state: Mapping[str, Any]
) -> str | None:
    """A warning if the state has a bookmark for this sync under a name that no sync has."""
    from tap_mssql_query.sql.template import fingerprint_of  # noqa: PLC0415 - slow

    bookmarks = state.get("bookmarks", {})
    if _has_begun(bookmarks.get(sync.name, {})):
        return None
    fingerprint = fingerprint_of(sync.query)
    known = {name for each in syncs for name in (each.name, each.renamed_from)}
    for name, bookmark in bookmarks.items():
        if name not in known and name.casefold() == sync.name.casefold():
            return (
                f'The state has a bookmark of "{name}", which differs from "{sync.name}" only in '
                "case, and is not used: all rows are sent again. Correct the name in one of them."
            )
        if name not in known and fingerprint in _fingerprints(bookmark):
            return (
                f'The state has a bookmark of "{name}", which is no longer a sync, and whose query '
                f'is that of "{sync.name}". Was it renamed? Then set `renamed_from` to "{name}"; '
                "without it, all rows are sent again, and events get new messageIds."
            )
    return None


def find_foreign_state(syncs: Sequence[SyncSettings], state: Mapping[str, Any]) -> str | None:
    """A warning if the state has bookmarks, and none of them is of any sync."""
    bookmarks = state.get("bookmarks", {})
    if not bookmarks or any(sync.name in bookmarks for sync in syncs):
        return None
    return (
        f"No sync has a bookmark in the state, which has those of {', '.join(sorted(bookmarks))}: "
        "every sync starts over. Is it the state of another configuration?"
    )


def _has_begun(bookmark: Mapping[str, Any]) -> bool:
    return bool(bookmark.get(SYNC_TIME_KEY)) or is_unfinished(bookmark)


def _fingerprints(bookmark: Mapping[str, Any]) -> list[object]:
    """Of the query of the last complete run, and of an unfinished one."""
    unfinished = bookmark.get(UNFINISHED_KEY)
    entries = [bookmark, unfinished if isinstance(unfinished, dict) else {}]
    return [entry.get(FINGERPRINT_KEY) for entry in entries]
