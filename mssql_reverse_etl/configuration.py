"""Reads the configurations of both programs as the programs themselves read them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mssql_reverse_etl.errors import UsageError
from program_kit.command_line import say_unreadable
from tap_mssql_query.tap import TapMSSQLQuery

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_mssql_query.settings.model import TapSettings

_ENV = "ENV"


def read_tap_config(paths: Sequence[str]) -> tuple[dict[str, Any], TapSettings]:
    """The tap's configuration, and its settings. Raises UsageError or ConfigurationError."""
    tap = TapMSSQLQuery(config=_read_config(paths), parse_env_config=_ENV in paths)
    return dict(tap.config), tap.settings


def read_target_config(paths: Sequence[str]) -> dict[str, Any]:
    """The target's configuration. Raises UsageError."""
    config = _read_config(paths)
    if _ENV in paths:
        from target_pipelines.target import TargetPipelines  # noqa: PLC0415 - slow

        return dict(TargetPipelines(config=config, parse_env_config=True).config)
    return config


def _read_config(paths: Sequence[str]) -> dict[str, Any]:
    """All files merged, later ones over earlier ones. Raises UsageError."""
    config: dict[str, Any] = {}
    try:
        for path in paths:
            if path != _ENV:
                config |= json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(say_unreadable(paths, error)) from error
    return config
