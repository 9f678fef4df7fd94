"""Contract suites for the tests of plugin authors: call types and destinations.

Only `get_call_type_test_class` and `get_destination_test_class` need pytest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from target_pipelines.api.renamed import renamed_attributes
from target_pipelines.testing.call_types import (
    CANARY,
    EDGE_VALUES,
    check_call_type,
    get_call_type_test_class,
)
from target_pipelines.testing.destination_cases import WRITE_KEY
from target_pipelines.testing.destinations import check_destination, get_destination_test_class
from target_pipelines.testing.plugins import check_plugin
from target_pipelines.testing.recording_server import ReceivedRequest, RecordingServer, Server

__all__ = [
    "CANARY",
    "EDGE_VALUES",
    "WRITE_KEY",
    "ReceivedRequest",
    "RecordingServer",
    "Server",
    "check_call_type",
    "check_destination",
    "check_plugin",
    "get_call_type_test_class",
    "get_destination_test_class",
]

if not TYPE_CHECKING:  # type checkers accept the new names only
    __getattr__ = renamed_attributes(
        __name__,
        {
            "MARK": "CANARY",
            "ODD_VALUES": "EDGE_VALUES",
            "Received": "ReceivedRequest",
            "Receiver": "RecordingServer",
        },
    )
