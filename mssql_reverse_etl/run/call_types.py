"""Refuses the syncs whose call type no plugin provides, before anything is read."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from program_kit.events import IS_OUTCOME

if TYPE_CHECKING:
    from tap_mssql_query.settings.model import TapSettings
    from target_pipelines.run.configuration import Configuration

logger = logging.getLogger(__name__)


def refuse_unknown_call_types(
    settings: TapSettings, configuration: Configuration
) -> dict[str, str]:
    """The enabled syncs with an unknown call type, and a sentence about each, which is logged."""
    known = configuration.plugins.call_types
    unknown = {}
    for sync in settings.syncs:
        call_type = configuration.settings.call_types.get(sync.name, sync.type)
        if sync.enabled and call_type is not None and call_type not in known:
            unknown[sync.name] = (
                f'No plugin provides the call type "{call_type}". Choose one of '
                f"{', '.join(known.names())}."
            )
    for name, problem in unknown.items():
        logger.error("sync=%s failed: %s", name, problem, extra=IS_OUTCOME)
    return unknown
