"""The contract of a destination, for a plugin's tests."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from target_pipelines.testing.destination_cases import make_case
from target_pipelines.testing.destination_checks import CHECKS
from target_pipelines.testing.recording_server import RecordingServer, Server

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from target_pipelines.api.destinations import DestinationType


def check_destination(
    destination: DestinationType, server: Server | None = None, **settings: Any
) -> None:
    """Run every check. Raises AssertionError, which names the destination and what is wrong.

    Args:
        destination: what the plugin registers.
        server: the server to test against; a new `RecordingServer` by default.
        settings: further settings that it needs, besides `endpoint` and `write_key`.
    """
    with contextlib.nullcontext(server) if server else RecordingServer() as target:
        case = make_case(destination, target, **settings)
        for check in CHECKS.values():
            check(case)


def get_destination_test_class(
    destination: DestinationType,
    open_server: Callable[[], AbstractContextManager[Server]] = RecordingServer,
    **settings: Any,
) -> type:
    """A pytest class with one test for each check.

    Assign it to a name that begins with `Test`. `open_server` opens the server to test against; the
    other arguments are those of `check_destination`.
    """
    import pytest  # noqa: PLC0415 - not a dependency of the product

    class DestinationTests:
        @pytest.mark.parametrize("name", CHECKS)
        def test_contract(self, name: str) -> None:
            with open_server() as server:
                CHECKS[name](make_case(destination, server, **settings))

    return DestinationTests
