"""Reads the tap's configuration as the tap itself reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mssql_reverse_etl.errors import UsageError
from program_kit.command_line import read_config
from tap_mssql_query.tap import TapMSSQLQuery

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_mssql_query.settings.model import TapSettings


def read_tap_config(paths: Sequence[str]) -> tuple[dict[str, Any], TapSettings]:
    """The tap's configuration, and its settings. Raises UsageError or ConfigurationError."""
    config = read_config(paths, UsageError, TapMSSQLQuery.environment())
    tap = TapMSSQLQuery(config=config)
    return dict(tap.config), tap.settings
