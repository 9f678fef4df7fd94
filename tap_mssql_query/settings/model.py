"""The tap's settings as typed values, validated once at the start."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from program_kit.settings import without_comments
from program_kit.timestamps import parse_iso_timestamp
from tap_mssql_query.errors import ConfigurationError
from tap_mssql_query.settings.frequency import parse_frequency
from tap_mssql_query.settings.stream_maps import plain_stream_maps
from tap_mssql_query.settings.table import CONNECTION_SETTINGS
from tap_mssql_query.settings.validation import find_problems, read_query

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseSettings:
    """How to connect to a database. `name` is None for the default one."""

    name: str | None
    host: str
    port: int = 1433
    database: str | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    encrypt: str = "yes"
    trust_server_certificate: bool = False
    authentication: str | None = None
    application_intent: str = "ReadOnly"
    login_timeout_seconds: int = 15
    query_timeout_seconds: int = 0
    clock_tolerance_seconds: int = 300
    connection_options: Mapping[str, str | int] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """Its name in messages, without credentials."""
        database = f", database {self.database}" if self.database else ""
        return f"{self.host}:{self.port}{database}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncSettings:
    """One sync. `frequency_seconds`, `start_at` and `start_from` (unix seconds) may be None."""

    name: str
    type: str
    query: str
    database: DatabaseSettings
    description: str = ""
    frequency_seconds: int | None = None
    start_at: int | None = None
    start_from: int | Literal["now"] | None = None
    enabled: bool = True
    key_columns: Sequence[str] = ()
    json_columns: Sequence[str] = ()
    timezone: str = "UTC"
    lookback_seconds: int = 0
    partition_column: str | None = None
    partitions: int | None = None
    partition_rows: int | None = None
    order_column: str | None = None
    renamed_from: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TapSettings:
    """All settings of a run, validated."""

    syncs: Sequence[SyncSettings]
    reader: str = "auto"
    odbc_driver: str | None = None
    report_path: str | None = None


def parse_settings(config: Mapping[str, Any]) -> TapSettings:
    """Validate a configuration. Raises ConfigurationError with all problems."""
    config = without_comments(config)
    if "stream_maps" in config:
        config = {**config, "stream_maps": plain_stream_maps(config["stream_maps"])}
    if problems := find_problems(config):
        raise ConfigurationError(*problems)
    databases = _parse_databases(config)
    return TapSettings(
        syncs=tuple(_parse_sync(sync, databases) for sync in config["syncs"]),
        reader=config.get("reader", "auto"),
        odbc_driver=config.get("odbc_driver"),
        report_path=config.get("report_path"),
    )


def _parse_databases(config: Mapping[str, Any]) -> dict[str | None, DatabaseSettings]:
    known = {setting.name for setting in CONNECTION_SETTINGS}
    entries: dict[str | None, Mapping[str, Any]] = {None: config, **config.get("databases", {})}
    return {
        name: DatabaseSettings(
            name=name, **{key: value for key, value in entry.items() if key in known}
        )
        for name, entry in entries.items()
        if entry.get("host")
    }


def _parse_sync(
    sync: Mapping[str, Any], databases: Mapping[str | None, DatabaseSettings]
) -> SyncSettings:
    frequency, start_at = sync.get("frequency"), sync.get("start_at")
    plain = (
        *("description", "enabled", "key_columns", "json_columns", "timezone"),
        *("partition_column", "partitions", "partition_rows", "order_column", "renamed_from"),
    )
    return SyncSettings(
        name=sync["name"],
        type=sync["type"],
        query=read_query(sync),
        database=databases[sync.get("database")],
        frequency_seconds=None if frequency is None else parse_frequency(frequency),
        start_at=None if start_at is None else parse_iso_timestamp(start_at),
        start_from=_parse_start(sync.get("start_from")),
        lookback_seconds=sync.get("lookback_seconds", 0),
        **{key: sync[key] for key in plain if key in sync},
    )


def _parse_start(text: str | None) -> int | Literal["now"] | None:
    return "now" if text == "now" else None if text is None else parse_iso_timestamp(text)
