"""Reads and advances the bookmark of a sync in a Singer state. Pure.

A bookmark is `{"last_sync_time": <unix seconds>, "query_fingerprint": <text>}` under
`bookmarks.<sync>`; other keys there, and other streams, are left unchanged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from program_kit.timestamps import MAX_UNIX_SECONDS
from tap_mssql_query.errors import StateError

if TYPE_CHECKING:
    from collections.abc import Mapping

SYNC_TIME_KEY = "last_sync_time"
FINGERPRINT_KEY = "query_fingerprint"
UNFINISHED_KEY = "unfinished"

_PLAIN_SYNC_TIME_KEY = SYNC_TIME_KEY.replace("_", "")
REMEDY = "Correct the state file, or remove this sync's entry from it to read everything again."


def unwrap_state(state: object) -> dict[str, Any]:
    """The Singer state in what a file holds, `{"bookmarks": …}` or nothing.

    It may be what `meltano state get` prints (`{"singer_state": …}`), a STATE message, or the
    bookmarks alone. Raises StateError for anything else: it would be taken for no state, and every
    row would be sent again.
    """
    if not isinstance(state, dict):
        raise StateError(
            "The state is not a JSON object. Restore the state file from a backup, or delete it to "
            "read everything again."
        )
    for wrapper in ("singer_state", "value"):
        if "bookmarks" not in state and isinstance(state.get(wrapper), dict):
            return unwrap_state(state[wrapper])
    if state and all(map(_is_bookmark, state.values())):
        state = {"bookmarks": state}
    if state and "bookmarks" not in state:
        raise StateError(
            "The state has no `bookmarks`. Give the file that the runs before wrote, of the form "
            '{"bookmarks": {"<sync>": {…}}}, or leave --state out to read everything again.'
        )
    _check_bookmarks(state)
    return state


def _is_bookmark(value: object) -> bool:
    return isinstance(value, dict) and not {SYNC_TIME_KEY, UNFINISHED_KEY}.isdisjoint(value)


def _check_bookmarks(state: dict[str, Any]) -> None:
    bookmarks = state.get("bookmarks", {})
    if not isinstance(bookmarks, dict):
        raise StateError(f"`bookmarks` in the state is not a JSON object. {REMEDY}")
    for sync, bookmark in bookmarks.items():
        if not isinstance(bookmark, dict):
            raise StateError(f'The bookmark of "{sync}" is not a JSON object. {REMEDY}')
        _check_bookmark(sync, bookmark)


def _check_bookmark(sync: str, bookmark: Mapping[str, Any]) -> None:
    """Raise StateError for what the SDK cannot use, or what would be taken for no time."""
    partitions = bookmark.get("partitions", [])
    if not isinstance(partitions, list) or not all(isinstance(p, dict) for p in partitions):
        raise StateError(f'`partitions` of "{sync}" in the state is no list of objects. {REMEDY}')
    if not isinstance(bookmark.get("progress_markers", {}), dict):
        raise StateError(f'`progress_markers` of "{sync}" in the state is no object. {REMEDY}')
    for name in bookmark:
        if name != SYNC_TIME_KEY and name.replace("_", "").casefold() == _PLAIN_SYNC_TIME_KEY:
            raise StateError(
                f'The bookmark of "{sync}" has `{name}`, and should have `{SYNC_TIME_KEY}`. '
                f"{REMEDY}"
            )


def read_last_sync_time(state: Mapping[str, Any], sync: str) -> int:
    """Unix seconds of the sync's last successful start, 0 if there was none. Raises StateError."""
    value = state.get("bookmarks", {}).get(sync, {}).get(SYNC_TIME_KEY, 0)
    if type(value) is not int or not 0 <= value <= MAX_UNIX_SECONDS:
        raise StateError(
            f'`{SYNC_TIME_KEY}` of "{sync}" in the state is not a whole number of seconds since '
            f"1970. {REMEDY}"
        )
    return value


def has_run(state: Mapping[str, Any], sync: str) -> bool:
    """Whether the state has a bookmark of a complete run of the sync."""
    return SYNC_TIME_KEY in state.get("bookmarks", {}).get(sync, {})


def is_unfinished(bookmark: Mapping[str, Any]) -> bool:
    """Whether a bookmark has an unfinished run beside it."""
    return UNFINISHED_KEY in bookmark


def has_other_query(state: Mapping[str, Any], sync: str, fingerprint: str) -> bool:
    """Whether the sync's last successful run had another query; False if that is not known."""
    bookmark = state.get("bookmarks", {}).get(sync, {})
    return bool(bookmark.get(FINGERPRINT_KEY, fingerprint) != fingerprint)


def bookmark_of(state: dict[str, Any], sync: str) -> dict[str, Any]:
    """The bookmark of a sync, to be changed."""
    bookmark: dict[str, Any] = state.setdefault("bookmarks", {}).setdefault(sync, {})
    return bookmark


def is_of_query(state: Mapping[str, Any], sync: str, fingerprint: str) -> bool:
    """Whether a sync's last complete run had this query."""
    bookmark = state.get("bookmarks", {}).get(sync, {})
    return bool(bookmark.get(FINGERPRINT_KEY) == fingerprint)


def check_not_in_future(
    last_sync_time: int, *, sync: str, server_time: int, tolerance_seconds: int
) -> None:
    """Raise StateError if the bookmark is later than the server's clock, beyond a tolerance.

    A bookmark in the future would silently skip every change until then.
    """
    if last_sync_time > server_time + tolerance_seconds:
        raise StateError(
            f'`{SYNC_TIME_KEY}` of "{sync}" in the state is {last_sync_time - server_time} s after '
            f"the server's clock. {REMEDY}"
        )
