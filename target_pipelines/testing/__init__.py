"""The contracts of call types and destinations, as checks for the tests of whoever offers one.

Nothing here needs pytest, except `get_call_type_test_class` and `get_destination_test_class`.
"""

from __future__ import annotations

from target_pipelines.testing.call_types import (
    MARK,
    ODD_VALUES,
    check_call_type,
    get_call_type_test_class,
)
from target_pipelines.testing.destinations import check_destination, get_destination_test_class
from target_pipelines.testing.servers import Received, Receiver, Server
from target_pipelines.testing.trials import WRITE_KEY

__all__ = [
    "MARK",
    "ODD_VALUES",
    "WRITE_KEY",
    "Received",
    "Receiver",
    "Server",
    "check_call_type",
    "check_destination",
    "get_call_type_test_class",
    "get_destination_test_class",
]
