"""Reads the configurations of both programs as the programs themselves read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mssql_reverse_etl.errors import UsageError
from program_kit.command_line import ENV, read_config
from tap_mssql_query.tap import TapMSSQLQuery

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_mssql_query.settings.model import TapSettings


def read_tap_config(paths: Sequence[str]) -> tuple[dict[str, Any], TapSettings]:
    """The tap's configuration, and its settings. Raises UsageError or ConfigurationError."""
    tap = TapMSSQLQuery(config=read_config(paths, UsageError), parse_env_config=ENV in paths)
    return dict(tap.config), tap.settings


def read_target_config(paths: Sequence[str]) -> dict[str, Any]:
    """The target's configuration. Raises UsageError."""
    config = read_config(paths, UsageError)
    if ENV in paths:
        from target_pipelines.target import TargetPipelines  # noqa: PLC0415 - slow

        return dict(TargetPipelines(config=config, parse_env_config=True).config)
    return config
