"""The contract of a destination."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from program_kit.settings import Setting
    from target_pipelines.api.calls import EncodedCall, Limits
    from target_pipelines.api.outcomes import Outcome
    from target_pipelines.api.settings import TargetSettings


class Sender(Protocol):
    """One connection to a destination; used by one thread at a time.

    A method `stop`, if there is one, may be called by another thread while `send` waits: then no
    further request may begin, not even on a connection that is being opened.
    """

    def send(self, calls: Sequence[EncodedCall]) -> Outcome:
        """Make one attempt to deliver all the calls. Failures are outcomes, not exceptions."""

    def close(self) -> None:
        """Close the connection."""


class Destination(Protocol):
    """A destination that is open.

    An attribute `call_schema`, if there is one, is a JSON Schema that each call must satisfy as
    well as that of its type.
    """

    @property
    def limits(self) -> Limits:
        """The limits of one attempt."""

    @property
    def max_lanes(self) -> int | None:
        """How many senders may work at once; None for the setting `concurrency`."""

    @property
    def event_schemas(self) -> Mapping[str, Mapping[str, Any]]:
        """Further JSON Schemas for track calls, by the name of the event."""

    def open_sender(self) -> Sender:
        """Open another connection."""

    def close(self) -> None:
        """Close the destination, after all its senders."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DestinationType:
    """A kind of destination that a plugin registers.

    Attributes:
        name: the value of the setting `destination`.
        open: opens a destination with these settings. Raises ConfigurationError.
        find_problems: what is missing or wrong in the settings, a sentence each.
        settings: the destination's own settings, which a configuration gives under
            `destination_options`. They are checked; `open` gets them with their defaults.
        profile: the HttpProfile that it was made from; its attributes are checked, too.
    """

    name: str
    open: Callable[[TargetSettings], Destination]
    find_problems: Callable[[TargetSettings], Iterable[str]] = lambda _: ()
    settings: Sequence[Setting] = ()
    profile: Any = None
