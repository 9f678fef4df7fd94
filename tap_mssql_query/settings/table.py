"""The table of the tap's settings: names, types, defaults, help.

The JSON Schema, `--about`, the documentation and Meltano's definition are generated from it.
"""

from __future__ import annotations

from program_kit.settings import Setting, json_schema_of
from tap_mssql_query.settings.frequency import FREQUENCY_PATTERN

_TEXT = {"type": "string", "minLength": 1}
_TEXTS = {"type": "array", "items": _TEXT}

MAX_PARTITIONS = 1000
"""Every STATE has an entry for each of them."""

CONNECTION_OPTIONS = (
    "ConnectRetryCount",
    "ConnectRetryInterval",
    "HostNameInCertificate",
    "IpAddressPreference",
    "KeepAlive",
    "KeepAliveInterval",
    "MultiSubnetFailover",
    "PacketSize",
    "ServerCertificate",
    "ServerSPN",
    "Trusted_Connection",
)
"""ODBC keywords allowed in `connection_options`: those that both drivers support and that affect
neither the credentials nor the security of the connection."""

CONNECTION_SETTINGS = (
    Setting("host", _TEXT, "Host name or address of SQL Server."),
    Setting("port", {"type": "integer", "minimum": 1, "maximum": 65535}, "TCP port.", 1433),
    Setting("database", _TEXT, "Database to read from."),
    Setting("username", _TEXT, "Login; it needs no more than the SELECT permission."),
    Setting("password", _TEXT, "Its password.", secret=True),
    Setting(
        "encrypt",
        {"type": "string", "enum": ["yes", "no", "strict"]},
        "TLS: `yes`, `no`, or `strict` (TDS 8).",
        "yes",
    ),
    Setting(
        "trust_server_certificate",
        {"type": "boolean"},
        "Accept any certificate, such as a self-signed one.",
        default=False,
    ),
    Setting(
        "authentication",
        _TEXT,
        "An ODBC `Authentication` value, such as `ActiveDirectoryServicePrincipal`.",
    ),
    Setting(
        "application_intent",
        {"type": "string", "enum": ["ReadOnly", "ReadWrite"]},
        "`ReadOnly` lets an availability group send the session to a readable replica.",
        "ReadOnly",
    ),
    Setting(
        "login_timeout_seconds",
        {"type": "integer", "minimum": 1},
        "For opening a connection.",
        15,
    ),
    Setting(
        "query_timeout_seconds",
        {"type": "integer", "minimum": 0},
        "For a query's first rows, and for each further block; 0: no limit.",
        0,
    ),
    Setting(
        "clock_tolerance_seconds",
        {"type": "integer", "minimum": 0},
        "How far the server's clock may be behind a bookmark, as after a failover to a replica: so "
        "much time before the bookmark is read again. Beyond it the sync fails.",
        300,
    ),
    Setting(
        "connection_options",
        {
            "type": "object",
            "propertyNames": {"enum": list(CONNECTION_OPTIONS)},
            "additionalProperties": {"type": ["string", "integer"], "minLength": 1},
        },
        f"Further ODBC keywords: {', '.join(f'`{name}`' for name in CONNECTION_OPTIONS)}.",
        {},
    ),
)

_SYNC_NAME = {"type": "string", "pattern": "^[A-Za-z0-9_-]+$"}

SYNC_SETTINGS = (
    Setting(
        "name",
        _SYNC_NAME,
        "Name of the sync and of its Singer stream.",
        required=True,
    ),
    Setting("description", {"type": "string"}, "What the sync is for.", ""),
    Setting(
        "type",
        _TEXT,
        "Call type: `identify`, `track`, `group`, `page`, `screen`, `alias` or a plugin's.",
        required=True,
    ),
    Setting("query", _TEXT, "The SELECT statement, with `{{variables}}`."),
    Setting("query_file", _TEXT, "File with the query, instead of `query`."),
    Setting("database", _TEXT, "A key of `databases`. The default database if not set."),
    Setting(
        "frequency",
        {"type": "string", "pattern": FREQUENCY_PATTERN},
        "Minimum time between runs: `5m`, `1h`, `1d`. Due in every run if not set.",
    ),
    Setting("start_at", _TEXT, "Not due before this time, in ISO 8601."),
    Setting(
        "start_from",
        _TEXT,
        "`last_sync_time` of the first run, in ISO 8601, or `now`: only rows that change from then "
        "on are sent. Everything is sent if not set.",
    ),
    Setting("enabled", {"type": "boolean"}, "Whether the sync runs.", default=True),
    Setting(
        "renamed_from",
        _SYNC_NAME,
        "The sync's former name, whose bookmark and messageIds it keeps.",
    ),
    Setting(
        "key_columns",
        _TEXTS,
        "Columns that identify a row. For events: all columns that identify an event; its "
        "messageId is made of them alone, so that a repeat is recognised.",
        [],
    ),
    Setting("json_columns", _TEXTS, "Text columns that contain JSON.", []),
    Setting(
        "timezone",
        _TEXT,
        "IANA time zone of date-times without an offset: of those in rows, and of "
        "`last_sync_datetime` and `sync_datetime` in the query.",
        "UTC",
    ),
    Setting(
        "lookback_seconds",
        {"type": "integer", "minimum": 0},
        "Subtracted from `last_sync_time` in the query, to catch rows committed late. The rows of "
        "that time are sent again: events need `key_columns` or a `timestamp` column, or each "
        "repeat is a new event.",
        0,
    ),
    Setting(
        "partition_column",
        _TEXT,
        "An indexed column of the result (whole numbers, dates, date-times, uniqueidentifier), by "
        "which the rows are split into partitions. An interrupted run resumes where it stopped.",
    ),
    Setting(
        "partitions",
        {"type": "integer", "minimum": 2, "maximum": MAX_PARTITIONS},
        "Number of partitions.",
    ),
    Setting(
        "partition_rows",
        {"type": "integer", "minimum": 1},
        "Target rows per partition, instead of `partitions`. Runs a COUNT first.",
    ),
    Setting(
        "order_column",
        _TEXT,
        "An indexed column whose values only grow, of the same types as `partition_column`. Rows "
        "are read in its order, and an interrupted run resumes after the last settled row.",
    ),
    Setting(
        "allow_reordering",
        {"type": "boolean"},
        "Allow one person's events in several partitions; their order is then not kept.",
        default=False,
    ),
)


_MAPPED = {"type": ["string", "null"]}
SINGER_SETTINGS = (
    Setting(
        "stream_maps",
        {
            "type": "object",
            "properties": {"__else__": _MAPPED},
            "additionalProperties": {
                "type": ["object", "string", "null"],
                "properties": {"__key_properties__": {"type": ["array", "null"], "items": _TEXT}},
                "additionalProperties": _MAPPED,
            },
        },
        "Changes to records before they leave the tap: sync → an object of columns, each with "
        "`__NULL__`, which removes it, or an expression. In meltano.yml write `__NULL__`, not "
        "`null`.",
    ),
    Setting("stream_map_config", {"type": "object"}, "Values for `config` in `stream_maps`."),
    Setting(
        "faker_config",
        {"type": "object"},
        "`seed` and `locale` of `fake` in `stream_maps`, if the package `faker` is installed.",
    ),
    Setting(
        "flattening_enabled",
        {"type": "boolean"},
        "Split objects of `json_columns` into columns.",
        default=False,
    ),
    Setting("flattening_max_depth", {"type": "integer", "minimum": 0}, "How deep to split them."),
    Setting("flattening_separator", _TEXT, "Between the names of a split column.", "__"),
    Setting(
        "flattening_max_key_length",
        {"type": "integer", "minimum": 1},
        "Maximum length of a split column's name.",
    ),
)
"""Settings of singer-sdk, which applies them."""

TAP_SETTINGS = (
    *CONNECTION_SETTINGS,
    Setting(
        "databases",
        {
            "type": "object",
            "additionalProperties": json_schema_of(CONNECTION_SETTINGS, closed=True),
        },
        "Further databases by name, each an object of the same keys as above.",
        {},
    ),
    Setting(
        "reader",
        {"type": "string", "enum": ["auto", "arrow", "odbc"]},
        "`arrow` (mssql-python, fast), `odbc` (pyodbc), or `auto`.",
        "auto",
    ),
    Setting("odbc_driver", _TEXT, "ODBC driver for pyodbc, by name or path. Detected if not set."),
    Setting("report_path", _TEXT, "JSON file for the outcome of each sync in a run."),
    Setting(
        "syncs",
        {"type": "array", "items": json_schema_of(SYNC_SETTINGS, closed=True)},
        "The syncs.",
        required=True,
    ),
    *SINGER_SETTINGS,
)

CONFIG_JSONSCHEMA = json_schema_of(TAP_SETTINGS, closed=False)
"""For singer-sdk, which adds its own settings to a copy."""

SDK_SETTINGS = ("batch_config",)
"""Accepted without effect: BATCH files would bypass the target's acknowledgements."""

CLOSED_JSONSCHEMA = {
    **json_schema_of(TAP_SETTINGS, closed=True),
    "properties": {**CONFIG_JSONSCHEMA["properties"], **{name: {} for name in SDK_SETTINGS}},
}
"""Refuses every other key."""
