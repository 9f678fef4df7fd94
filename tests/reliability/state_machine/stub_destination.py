"""A destination whose requests wait until the state machine responds to them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.reliability.state_machine.cooperative_scheduler import Queue, wake

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from target_pipelines import EncodedCall, Limits, Outcome
    from tests.reliability.state_machine.cooperative_scheduler import CooperativeScheduler


@dataclass(eq=False)
class Request:
    """An attempt that waits for its outcome."""

    sender: StubSender
    calls: Sequence[EncodedCall]
    outcome: Outcome | None = None
    queue: Queue = field(default_factory=list)


class StubDestination:
    """A destination as a plugin provides one; the state machine decides when it responds, and how.

    Attributes:
        waiting: requests without a response, in the order of their arrival.
    """

    event_schemas: Mapping[str, Mapping[str, Any]] = {}

    def __init__(
        self,
        scheduler: CooperativeScheduler,
        limits: Limits,
        max_lanes: int | None,
        on_request: Callable[[Request], None],
    ) -> None:
        self.limits = limits
        self.max_lanes = max_lanes
        self._scheduler = scheduler
        self.waiting: list[Request] = []
        self._on_request = on_request

    def open_sender(self) -> StubSender:
        """Open another connection."""
        return StubSender(self)

    def receive(self, request: Request) -> Outcome:
        """Take a request, and wait until it has an outcome."""
        self._on_request(request)
        self.waiting.append(request)
        self._scheduler.wait_for(lambda: request.outcome, request.queue)
        assert request.outcome is not None
        return request.outcome

    def respond(self, request: Request, outcome: Outcome) -> None:
        """Give a request its outcome."""
        self.waiting.remove(request)
        request.outcome = outcome
        wake(request.queue)
        self._scheduler.run()

    def close(self) -> None:
        """Do nothing: there is nothing to free."""


class StubSender:
    """A connection to the stub destination.

    Attributes:
        not_before: the time before which it must not send again.
    """

    def __init__(self, destination: StubDestination) -> None:
        self._destination = destination
        self.not_before = 0.0

    def send(self, calls: Sequence[EncodedCall]) -> Outcome:
        """Make an attempt, and wait for its outcome."""
        return self._destination.receive(Request(self, calls))

    def close(self) -> None:
        """Do nothing: there is nothing to free."""
