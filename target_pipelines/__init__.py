"""Singer target that delivers rows as calls: the public API for plugins.

Plugins import this module only; their tests may import `target_pipelines.testing` as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from program_kit.settings import Setting
from target_pipelines.api.call_fields import (
    BOOLEAN,
    CONTEXT,
    ID,
    MOBILE_CONTEXT,
    NEEDS_ID,
    TEXT,
    TIMESTAMP,
    USER_OR_ANONYMOUS_ID,
    call_schema,
    nullable,
    object_of,
)
from target_pipelines.api.call_types import CallType
from target_pipelines.api.calls import EncodedCall, Limits
from target_pipelines.api.destinations import Destination, DestinationType, Sender
from target_pipelines.api.errors import ConfigurationError
from target_pipelines.api.hookspecs import hookimpl
from target_pipelines.api.outcomes import Delivered, Fatal, Outcome, PartlyRejected, Rejected, Retry
from target_pipelines.api.renamed import renamed_attributes
from target_pipelines.api.settings import TargetSettings
from target_pipelines.destinations.authentication import Authenticate, basic, key_in_header
from target_pipelines.destinations.http import HttpProfile
from target_pipelines.destinations.responses import (
    ResponseClassifier,
    classify_response,
    parse_retry_after,
)

__all__ = [
    "BOOLEAN",
    "CONTEXT",
    "ID",
    "MOBILE_CONTEXT",
    "NEEDS_ID",
    "TEXT",
    "TIMESTAMP",
    "USER_OR_ANONYMOUS_ID",
    "Authenticate",
    "CallType",
    "ConfigurationError",
    "Delivered",
    "Destination",
    "DestinationType",
    "EncodedCall",
    "Fatal",
    "HttpProfile",
    "Limits",
    "Outcome",
    "PartlyRejected",
    "Rejected",
    "ResponseClassifier",
    "Retry",
    "Sender",
    "Setting",
    "TargetSettings",
    "basic",
    "call_schema",
    "classify_response",
    "hookimpl",
    "key_in_header",
    "nullable",
    "object_of",
    "parse_retry_after",
]

if not TYPE_CHECKING:  # type checkers accept the new names only
    __getattr__ = renamed_attributes(
        __name__, {"Refused": "Rejected", "Stop": "Fatal", "judge_answer": "classify_response"}
    )
