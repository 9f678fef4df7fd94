"""A destination under test: its settings, a server, and calls to deliver."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from program_kit.exact_json import encode_json
from target_pipelines.api.calls import EncodedCall
from target_pipelines.api.settings import TargetSettings
from target_pipelines.testing.call_types import CANARY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from target_pipelines.api.destinations import Destination, DestinationType, Sender
    from target_pipelines.api.outcomes import Outcome
    from target_pipelines.testing.recording_server import Server

WRITE_KEY = f"{CANARY}-key"
"""The setting `write_key` in the contract suite of destinations."""


@dataclass(frozen=True, slots=True)
class DestinationCase:
    """A destination, the server that it is tested against, and its settings."""

    destination: DestinationType
    server: Server
    settings: TargetSettings

    @contextlib.contextmanager
    def open(self, **changes: Any) -> Iterator[tuple[Destination, Sender]]:
        """Open the destination and a sender, with some settings changed."""
        opened = self.destination.open(replace(self.settings, **changes))
        sender = opened.open_sender()
        try:
            yield opened, sender
        finally:
            sender.close()
            opened.close()

    def send_one(self, response: Mapping[str, Any], **changes: Any) -> Outcome:
        """Send one call; the server gives this response."""
        self.server.script([response])
        with self.open(**changes) as (_, sender):
            return sender.send(CALLS[:1])

    def require(self, holds: object, problem: str) -> None:
        """Raise AssertionError with the destination's name and the problem, unless it holds."""
        if not holds:
            raise AssertionError(f'Destination "{self.destination.name}" {problem}.')


def make_call(kind: str, number: int, **fields: Any) -> EncodedCall:
    """A call of the API, encoded as the target does."""
    call = {"messageId": f"m{number}", "type": kind, "userId": str(number), **fields}
    return EncodedCall(encode_json(call), "example", kind, str(number), epoch=0)


CALLS = (
    make_call("identify", 1, traits={"name": "Zoë 名 \U0001f30a", "html": "<b>&\"'\\"}),
    make_call("track", 2, event="Order Completed", properties={"total": 12345678901234567890}),
    make_call("page", 3, name="Home"),
    make_call("screen", 4, name="Home"),
    make_call("group", 5, groupId="g"),
    make_call("alias", 6, previousId="5"),
    make_call("track", 1, event="],[", properties={"text": "\n\t\0"}),
)
"""Calls of every API type, with characters that could break the envelope of a request."""


def make_case(destination: DestinationType, server: Server, **settings: Any) -> DestinationCase:
    """A case with the settings that every destination gets, and further ones."""
    given = {"endpoint": server.url, "write_key": WRITE_KEY, "timeout_seconds": 10, **settings}
    target_settings = TargetSettings(destination=destination.name, **given)
    return DestinationCase(destination, server, target_settings)
