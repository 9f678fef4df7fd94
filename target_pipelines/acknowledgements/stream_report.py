"""The counts of one stream in a run, with what its rejected rows have in common."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from target_pipelines.acknowledgements.dead_letters import DeadLetter
    from target_pipelines.api.remedies import Kind

DELIVERED = "delivered"
_Key = TypeVar("_Key", bound=str)


class Rejections(NamedTuple):
    """What rejected rows have in common; `status` is HTTP's, if the destination rejected them."""

    reason: str
    status: int | None
    kind: Kind


@dataclass(slots=True)
class StreamReport:
    """Counts of one stream; `seconds` from its SCHEMA to its last settled record.

    `same_rows` are those of a replay that were delivered with another letter of the same row. A
    request with calls of several streams counts for each of them, its bytes for the calls' own.
    """

    call_type: str
    started: float
    read: int = 0
    delivered: int = 0
    filtered: int = 0
    rejected: int = 0
    discarded: int = 0
    same_rows: int = 0
    requests: int = 0
    retries: int = 0
    sent_bytes: int = 0
    rejections: Counter[Rejections] = field(default_factory=Counter)
    seconds: float = 0.0
    outcome: str = DELIVERED
    message: str = ""

    @property
    def reasons(self) -> Counter[str]:
        """How many rows were rejected for each reason."""
        return _sum_by(self.rejections, lambda each: each.reason)

    @property
    def kinds(self) -> Counter[Kind]:
        """How many rows were rejected for each kind of cause."""
        return _sum_by(self.rejections, lambda each: each.kind)

    @property
    def settled(self) -> int:
        """Records that are accounted for."""
        return self.delivered + self.filtered + self.rejected + self.discarded

    @property
    def is_settled(self) -> bool:
        """Whether every record is accounted for."""
        return self.read == self.settled

    def to_json(self) -> dict[str, Any]:
        """The counts as plain values."""
        return {
            "call_type": self.call_type,
            "outcome": self.outcome,
            "message": self.message,
            "read": self.read,
            "delivered": self.delivered,
            "filtered": self.filtered,
            "rejected": self.rejected,
            "discarded": self.discarded,
            "same_rows": self.same_rows,
            "requests": self.requests,
            "retries": self.retries,
            "sent_bytes": self.sent_bytes,
            "rejections": [
                {**each._asdict(), "calls": calls} for each, calls in self.rejections.most_common()
            ],
            "rejected_by_reason": dict(self.reasons),
            "rejected_by_kind": dict(self.kinds),
            "seconds": round(self.seconds, 3),
        }


def rejection_of(letter: DeadLetter) -> Rejections:
    """What a dead letter counts as."""
    return Rejections(letter.reason, letter.status, letter.kind)


def _sum_by(rejections: Counter[Rejections], key_of: Callable[[Rejections], _Key]) -> Counter[_Key]:
    total: Counter[_Key] = Counter()
    for rejection, calls in rejections.items():
        total[key_of(rejection)] += calls
    return total
