"""What helps against a rejected row, by the kind of its cause."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind = Literal["query", "settings", "destination", "tap"]

_REMEDIES: Mapping[Kind, str] = {
    "query": "Correct the query; then `--resync {stream}` or `--since` reads the row again, which "
    "`--replay` does not.",
    "settings": "Correct the settings or the plugin; then `--replay` sends the row again.",
    "tap": "Correct the tap, which then reads the row again; `--replay` does not.",
    "destination": "Correct it at the destination; then `--replay` sends the call again.",
}


def describe_remedy(kind: Kind, stream: str) -> str:
    """What to do about a rejected row of a stream, as a sentence."""
    return _REMEDIES[kind].format(stream=stream)
