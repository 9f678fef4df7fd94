"""--dry-run prints the calls that the destination would get; --plan only counts them."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from target_pipelines.acknowledgements.dead_letters import DeadLetters
from target_pipelines.acknowledgements.staged_dead_letters import StagedDeadLetters
from target_pipelines.api.outcomes import Delivered, Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from target_pipelines.api.calls import EncodedCall, Limits
    from target_pipelines.api.destinations import Destination
    from target_pipelines.singer.stdout import Write


def line_template(destination: str, count: int) -> bytes:
    """How a call is printed: bare; with several destinations, with the name of its own."""
    if count == 1:
        return b"%b\n"
    return b'{"destination":"%b","call":%%b}\n' % destination.encode()


class DryRunDestination:
    """Prints calls, within the limits of the real destination, as fast as possible."""

    max_lanes: int | None = 1  # prints calls in row order

    def __init__(self, destination: Destination, write: Write, template: bytes) -> None:
        self._destination = destination
        self._write = write
        self._template = template

    @property
    def limits(self) -> Limits:
        """The real destination's, without its rate: nothing is sent."""
        return replace(self._destination.limits, requests_per_second=None)

    @property
    def call_schema(self) -> Mapping[str, Any]:
        """That of the destination."""
        return getattr(self._destination, "call_schema", {})

    @property
    def event_schemas(self) -> Mapping[str, Mapping[str, Any]]:
        """The real destination's."""
        return self._destination.event_schemas

    def open_sender(self) -> DryRunDestination:
        """Itself: there is one stdout."""
        return self

    def send(self, calls: Sequence[EncodedCall]) -> Outcome:
        """Print the calls, one per line."""
        self._write(b"".join(self._template % call.body for call in calls))
        return Delivered()

    def close(self) -> None:
        """Do nothing: stdout stays open."""


class PlannedDestination(DryRunDestination):
    """Accepts calls in the lanes and batches of the real destination, and drops them."""

    def __init__(self, destination: Destination) -> None:
        super().__init__(destination, lambda _: None, b"")
        self.max_lanes = destination.max_lanes

    def send(self, calls: Sequence[EncodedCall]) -> Outcome:  # noqa: ARG002 - the report has them
        """Accept the calls."""
        return Delivered()


class CountedDeadLetters(StagedDeadLetters):
    """Writes none; the summary counts them."""

    def __init__(self) -> None:
        super().__init__(DeadLetters(Path(os.devnull)))

    def add(self, stream: str, epoch: int, lines: bytes) -> None:
        """Keep nothing."""
