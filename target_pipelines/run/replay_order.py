"""The order in which a replay sends the letters of a file, and what it says of old facts. Pure.

Letters go in the order of their file. But the facts of one stream among them go in the order of
their rows, so that the newest values of a person arrive last: a row that became no call is in the
file before an earlier row that its destination rejected, and letters that failed again are at its
end.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_DAY_SECONDS = 86_400
_HOUR_SECONDS = 3_600


@dataclass(slots=True)
class OldFacts:
    """The letters of facts of one stream: how many, and when they were written, in unix seconds."""

    count: int
    oldest: float
    newest: float


class ReplayOrder:
    """Collects letters in the order of their file, and orders them.

    Attributes:
        old_facts: the letters of facts by stream, if any.
    """

    def __init__(self) -> None:
        self._offsets = array("Q")
        self._numbers = array("Q")
        self._facts: dict[tuple[str, object], list[tuple[float, float, int]]] = {}
        self.old_facts: dict[str, OldFacts] = {}

    def add(self, letter: Mapping[str, Any], *, offset: int, number: int, is_fact: bool) -> None:
        """Add the letter that begins at an offset, in a line of this number."""
        if is_fact:
            stream = letter["stream"]
            row = (run_time_of(letter), float(letter.get("position") or 0), len(self._offsets))
            self._facts.setdefault((stream, letter.get("destination")), []).append(row)
            self._note(stream, time_of(letter))
        self._offsets.append(offset)
        self._numbers.append(number)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Offset and number of each line, in the order of sending."""
        order = array("Q", range(len(self._offsets)))
        for rows in self._facts.values():
            places = [place for *_, place in rows]
            for place, (*_, chosen) in zip(places, sorted(rows), strict=True):
                order[place] = chosen
        for index in order:
            yield self._offsets[index], self._numbers[index]

    def _note(self, stream: str, time: float) -> None:
        facts = self.old_facts.setdefault(stream, OldFacts(0, time, time))
        facts.count += 1
        facts.oldest, facts.newest = min(facts.oldest, time), max(facts.newest, time)


def time_of(letter: Mapping[str, Any]) -> float:
    """When a letter was first written, in unix seconds; 0 if it does not say."""
    try:
        return datetime.fromisoformat(letter["time"]).timestamp()
    except (KeyError, TypeError, ValueError, OverflowError):
        return 0.0


def run_time_of(letter: Mapping[str, Any]) -> float:
    """The start of the run that read the row; of letters that do not say, when it was written."""
    origin = letter.get("origin") or {}
    for time in (letter.get("sync_time"), origin.get("x-sync-time")):
        if isinstance(time, int | float | Decimal) and not isinstance(time, bool):
            return float(time)
    return time_of(letter)


def describe_old_facts(
    stream: str, facts: OldFacts, *, now: float, delivered_at: float | None
) -> str:
    """What a replay of facts may do, how old they are, and what to do instead.

    `delivered_at` is the end of the last run that delivered the stream, if it is known.
    """
    are = "letter is a fact" if facts.count == 1 else "letters are facts"
    ages = f"the oldest {_age(now - facts.oldest)} old, the newest {_age(now - facts.newest)}"
    text = (
        f"stream={stream}: {facts.count:,} {are} (identify, group or alias), "
        f"{ages if facts.oldest else 'of unknown age'}. They are sent in the order of their rows, "
        "but if newer calls about the same people were delivered since, and the letters do not "
        "say so, older values overwrite newer ones."
    )
    if delivered_at is not None and delivered_at > facts.oldest:
        ended = datetime.fromtimestamp(delivered_at, UTC)
        text += f" The run that ended at {ended:%Y-%m-%dT%H:%M:%SZ} delivered this stream later."
    return f"{text} `--resync {stream}`, instead or afterwards, sends the present rows."


def _age(seconds: float) -> str:
    if seconds >= 2 * _DAY_SECONDS:
        return f"{seconds / _DAY_SECONDS:.0f} days"
    if seconds >= 2 * _HOUR_SECONDS:
        return f"{seconds / _HOUR_SECONDS:.0f} hours"
    return f"{max(seconds, 0) / 60:.0f} minutes"
