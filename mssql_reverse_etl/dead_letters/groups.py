"""Dead letters by sync, destination and reason."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, get_args

from mssql_reverse_etl.errors import UsageError
from target_pipelines.acknowledgements.dead_letter_calls import SUPERSEDED
from target_pipelines.acknowledgements.dead_letter_file import parse_letter
from target_pipelines.api.ordering_key import ordering_key_of
from target_pipelines.api.remedies import Kind, describe_remedy

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    Letter = Mapping[str, Any]

MAX_EXAMPLES = 3

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class LetterGroup:
    """The letters with one reason, without their values.

    Attributes:
        oldest: the time of the oldest letter.
        newest: the time of the newest one.
        example_keys: the keys of a few, or the ordering keys of their calls.
        shown: records and calls, if they were asked for.
    """

    sync: str
    destination: str
    reason: str
    status: int | None
    kind: Kind
    calls: int = 0
    superseded: int = 0
    oldest: str | None = None
    newest: str | None = None
    example_keys: list[Any] = field(default_factory=list)
    shown: list[dict[str, Any]] = field(default_factory=list)

    def add(self, letter: Letter, *, is_shown: bool) -> None:
        """Count a letter."""
        self.calls += 1
        self.superseded += bool(letter.get(SUPERSEDED))
        if isinstance(time := letter.get("time"), str):
            self.oldest = min(self.oldest or time, time)
            self.newest = max(self.newest or time, time)
        key = letter.get("key") or ordering_key_of(letter.get("call") or {})
        if key and key not in self.example_keys and len(self.example_keys) < MAX_EXAMPLES:
            self.example_keys.append(key)
        if is_shown:
            names = ("time", "key", "record", "call", "line")
            self.shown.append({name: letter[name] for name in names if name in letter})

    @property
    def remedy(self) -> str:
        """What to do about them."""
        return describe_remedy(self.kind, self.sync)

    def to_json(self) -> dict[str, Any]:
        """The columns of `rejections` in the history, and the rest."""
        return {
            "sync": self.sync,
            "destination": self.destination,
            "reason": self.reason,
            "status": self.status,
            "calls": self.calls,
            "superseded": self.superseded,
            "oldest": self.oldest,
            "newest": self.newest,
            "example_keys": self.example_keys,
            "remedy": self.remedy,
            **({"letters": self.shown} if self.shown else {}),
        }


def group_letters(letters: Iterable[Letter], *, is_shown: bool) -> Sequence[LetterGroup]:
    """The letters in groups, whatever their number; only shown ones are kept."""
    groups: dict[tuple[Any, ...], LetterGroup] = {}
    for letter in letters:
        group = _group_of(letter)
        key = (group.sync, group.destination, group.reason, group.status)
        groups.setdefault(key, group).add(letter, is_shown=is_shown)
    return list(groups.values())


def _group_of(letter: Letter) -> LetterGroup:
    sync, kind = letter["stream"], _kind_of(letter)
    reason = str(letter.get("reason", ""))
    status = letter.get("status")
    return LetterGroup(
        sync=sync,
        destination=str(letter.get("destination") or ""),
        reason=reason.removesuffix(describe_remedy(kind, sync)).rstrip(),
        status=status if isinstance(status, int) else None,
        kind=kind,
    )


def _kind_of(letter: Letter) -> Kind:
    kinds: tuple[Kind, ...] = get_args(Kind)
    return next((kind for kind in kinds if kind == letter.get("kind")), "destination")


def read_letters(path: Path) -> Iterator[Letter]:
    """The letters of a file, none if there is no file; a warning says how many lines are none.

    Raises UsageError if it cannot be read.
    """
    if not path.exists():
        return
    if not path.is_file():
        raise UsageError(f"The dead letters {path} cannot be read: it is no file.")
    invalid = 0
    try:
        with path.open("rb") as lines:
            for line in lines:
                letter = parse_letter(line)
                if letter is not None:
                    yield letter
                elif line.strip() and line.endswith(b"\n"):  # else it is being written
                    invalid += 1
    except OSError as error:
        raise UsageError(f"The dead letters {path} cannot be read: {error.strerror}.") from error
    if invalid:
        logger.warning("%d lines of %s are no dead letters.", invalid, path)
