"""The configurations of both programs for tasks: no local path, no secret, a part of the rate."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mssql_reverse_etl.cluster.partition_task import DEAD_LETTERS
from mssql_reverse_etl.cluster.secret_refs import extract_secrets
from mssql_reverse_etl.errors import UsageError
from tap_mssql_query.settings.table import CONNECTION_SETTINGS
from target_pipelines.api.settings_table import TARGET_SETTINGS
from target_pipelines.run.configuration import load_configuration
from target_pipelines.run.worker import split_limits

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from program_kit.settings import Setting
    from tap_mssql_query.settings.model import TapSettings
    from target_pipelines.run.configuration import Configuration

_LOCAL_PATHS = ("report_path", "dead_letter_path")
_HOLDERS = frozenset({"destinations", "destination_options"})
"""Settings that are marked as secret for what is in them, which is replaced one by one."""


@dataclass(frozen=True, slots=True)
class TaskSettings:
    """The configurations of both programs as tasks get them.

    Attributes:
        tap: configuration of the tap, with references to secrets.
        target: configuration of the target, with references to secrets.
        secrets: the secrets of both programs by environment variable.
        dead_letter_paths: where to append the dead letters of a task, by the name of its file.
        configuration: the target's configuration, parsed.
    """

    tap: Mapping[str, Any]
    target: Mapping[str, Any]
    secrets: Mapping[str, str]
    dead_letter_paths: Mapping[str, Path]
    configuration: Configuration

    def divided_by(self, slots: int) -> TaskSettings:
        """The settings of one of `slots` concurrent tasks: each gets an equal part of the rate.

        Lanes are not divided.
        """
        divided = split_limits(self.configuration, slots)
        rates = [settings.requests_per_second for settings in divided.destinations]
        target = dict(self.target)
        if "destinations" in target:
            target["destinations"] = [
                _with_rate(_without_paths(entry), rate)
                for entry, rate in zip(target["destinations"], rates, strict=True)
            ]
        else:
            target = _with_rate(target, rates[0])
        return replace(self, target=target)


def _with_rate(target: Mapping[str, Any], rate: float | None) -> dict[str, Any]:
    """The settings of a destination with this rate; without any if there is no limit."""
    others = {name: value for name, value in target.items() if name != "requests_per_second"}
    return others if rate is None else {**others, "requests_per_second": rate}


def prepare_task_settings(
    tap: Mapping[str, Any], settings: TapSettings, target: Mapping[str, Any]
) -> TaskSettings:
    """The settings of all tasks of a run. Raises UsageError, ConfigurationError or PluginError."""
    configuration = load_configuration(target)
    _refuse_file_destination(configuration)
    tap, tap_secrets = extract_secrets(
        _with_inline_queries(tap, settings), "TAP_MSSQL_QUERY", _secret_names(CONNECTION_SETTINGS)
    )
    plugins = configuration.plugins.destinations
    own_settings = [setting for name in plugins.names() for setting in plugins[name].settings]
    target, target_secrets = extract_secrets(
        _without_paths(target),
        "TARGET_PIPELINES",
        _secret_names([*TARGET_SETTINGS, *own_settings]) - _HOLDERS,
    )
    return TaskSettings(
        tap=tap,
        target=target,
        secrets=tap_secrets | target_secrets,
        dead_letter_paths=_dead_letter_paths(configuration),
        configuration=configuration,
    )


def _secret_names(settings: Iterable[Setting]) -> frozenset[str]:
    return frozenset(setting.name for setting in settings if setting.secret)


def _with_inline_queries(config: Mapping[str, Any], settings: TapSettings) -> dict[str, Any]:
    """The tap's configuration without paths: workers may run on other machines."""
    queries = {sync.name: sync.query for sync in settings.syncs}
    syncs = [
        {name: value for name, value in sync.items() if name != "query_file"}
        | {"query": queries[sync["name"]]}
        for sync in config["syncs"]
        if sync["name"] in queries  # the names on the command line
    ]
    return _without_paths(config) | {"syncs": syncs}


def _without_paths(config: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in config.items() if name not in _LOCAL_PATHS}


def _refuse_file_destination(configuration: Configuration) -> None:
    if any(each.destination == "file" for each in configuration.destinations):
        raise UsageError(
            "The destination `file` writes to the local disk of each worker. Run it without --dask."
        )


def _dead_letter_paths(configuration: Configuration) -> dict[str, Path]:
    """Where the letters of each destination go at the end, by the name of a task's file."""
    paths = {
        each.destination_name: Path(each.dead_letter_path) for each in configuration.destinations
    }
    if len(paths) == 1:
        return dict(zip([DEAD_LETTERS], paths.values(), strict=True))
    stem, suffix = DEAD_LETTERS.rsplit(".", 1)
    return {f"{stem}.{name}.{suffix}": path for name, path in paths.items()}
