"""One destination under test: with its settings, a server, and calls to deliver."""

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
"""The setting `write_key` while a destination is checked."""


@dataclass(frozen=True, slots=True)
class DestinationCase:
    """A destination, what it is tested against, and its settings."""

    destination: DestinationType
    server: Server
    settings: TargetSettings

    @contextlib.contextmanager
    def open(self, **changes: Any) -> Iterator[tuple[Destination, Sender]]:
        """The opened destination and a sender, with some settings changed."""
        opened = self.destination.open(replace(self.settings, **changes))
        sender = opened.open_sender()
        try:
            yield opened, sender
        finally:
            sender.close()
            opened.close()

    def answer(self, behaviour: Mapping[str, Any], **changes: Any) -> Outcome:
        """The outcome of one attempt with one call that is treated so."""
        self.server.script([behaviour])
        with self.open(**changes) as (_, sender):
            return sender.send(CALLS[:1])

    def require(self, holds: object, what: str) -> None:
        """Raise AssertionError, which names the destination and what is wrong, unless it holds."""
        if not holds:
            raise AssertionError(f'Destination "{self.destination.name}" {what}.')


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
"""One of each type, with what may break an envelope."""


def make_case(destination: DestinationType, server: Server, **settings: Any) -> DestinationCase:
    """A case with the settings that every destination is given, and further ones."""
    given = {"endpoint": server.url, "write_key": WRITE_KEY, "timeout_seconds": 10, **settings}
    target_settings = TargetSettings(destination=destination.name, **given)
    return DestinationCase(destination, server, target_settings)
