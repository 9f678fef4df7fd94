"""What a destination is: the contract that the modules of this package, and plugins, keep."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from target_pipelines.api.calls import EncodedCall, Limits
    from target_pipelines.api.outcomes import Outcome
    from target_pipelines.api.settings import TargetSettings


class Sender(Protocol):
    """One connection to a destination; used by one thread at a time."""

    def send(self, calls: Sequence[EncodedCall]) -> Outcome:
        """Make one attempt to deliver the calls, all together. Raises nothing on purpose."""

    def close(self) -> None:
        """Free what it holds."""


class Destination(Protocol):
    """An opened destination."""

    @property
    def limits(self) -> Limits:
        """What one attempt may hold."""

    @property
    def max_lanes(self) -> int | None:
        """How many senders may work at once; None: as many as `concurrency` says."""

    @property
    def event_schemas(self) -> Mapping[str, Mapping[str, Any]]:
        """JSON Schemas that track calls must meet besides their own, by the event's name."""

    def open_sender(self) -> Sender:
        """A further connection."""

    def close(self) -> None:
        """All senders are closed; free the rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationType:
    """A destination, as a plugin offers it.

    Attributes:
        name: what the setting `destination` says.
        open: opens it. Raises ConfigurationError.
        find_problems: what the settings lack for it, a sentence each.
    """

    name: str
    open: Callable[[TargetSettings], Destination]
    find_problems: Callable[[TargetSettings], Iterable[str]] = lambda _: ()
