"""The target's settings as one table: names, types, defaults, help.

The JSON Schema, `--about`, the documentation and Meltano's definition are generated from it.
"""

from __future__ import annotations

from dataclasses import replace

from program_kit.environment import Environment
from program_kit.settings import Setting, json_schema_of

NAME_PATTERN = "^[A-Za-z0-9_-]+$"

_TEXT = {"type": "string", "minLength": 1}
_PATH = {"type": "string", "minLength": 1}
_COUNT = {"type": "integer", "minimum": 1}
_NULLS = {"type": "string", "enum": ["omit", "send"]}
_NULLS_BY_COLUMN = {"type": "object", "additionalProperties": _NULLS}
_SECONDS = {"type": "number", "exclusiveMinimum": 0}

DESTINATION_SETTINGS = (
    Setting(
        "destination",
        _TEXT,
        "`file`, `customerio`, `segment`, `rudderstack`, `hightouch`, `jitsu`, `webhook`, or a "
        "destination of a plugin.",
        "file",
    ),
    Setting(
        "output_path", _PATH, "For `file`: calls are appended here, one per line.", "calls.jsonl"
    ),
    Setting(
        "write_key", _TEXT, "The API's write key; for `webhook`, the signing secret.", secret=True
    ),
    Setting(
        "region",
        {"type": "string", "enum": ["us", "eu"]},
        "The destination's region.",
        "us",
    ),
    Setting(
        "endpoint",
        {"type": "string", "pattern": "^https?://"},
        "Base URL instead of the destination's own, such as `http://127.0.0.1:8090/v1`; the host "
        "for `jitsu`; the full URL for `webhook`.",
    ),
    Setting(
        "strict",
        {"type": "boolean"},
        "Ask Customer.io to reject invalid calls (`X-Strict-Mode: 1`) instead of dropping them.",
        default=True,
    ),
    Setting(
        "batch_max_bytes", _COUNT, "Maximum bytes of one request. Default: the destination's limit."
    ),
    Setting(
        "batch_max_calls", _COUNT, "Maximum calls of one request. Default: the destination's limit."
    ),
    Setting(
        "call_max_bytes", _COUNT, "Maximum bytes of one call. Default: the destination's limit."
    ),
    Setting(
        "concurrency",
        {"type": "integer", "minimum": 1, "maximum": 64},
        "Maximum requests in flight. Calls of one person are never in two of them.",
        4,
    ),
    Setting(
        "requests_per_second",
        _SECONDS,
        "Maximum requests per second over all connections. Default: the destination's limit.",
    ),
    Setting(
        "gzip",
        {"type": "boolean"},
        "Compress requests. Customer.io's SDK supports it; its documentation does not mention it.",
        default=False,
    ),
    Setting(
        "trust_environment",
        {"type": "boolean"},
        "Use the proxies and `.netrc` of the environment.",
        default=False,
    ),
    Setting(
        "ca_file",
        _PATH,
        "PEM file with the certificates of the authorities to trust, for `https://` APIs and "
        "proxies, instead of the usual ones. Default: the file or folder of the environment's "
        "`REQUESTS_CA_BUNDLE`, `CURL_CA_BUNDLE` or `SSL_CERT_FILE`.",
    ),
    Setting("timeout_seconds", _SECONDS, "Timeout of one attempt.", 30),
    Setting(
        "max_retry_seconds", _SECONDS, "Maximum time to retry one batch; then the run stops.", 600
    ),
    Setting(
        "dead_letter_path",
        _PATH,
        "Rejected calls are appended here, with the reason.",
        "dead_letters.jsonl",
    ),
    Setting(
        "on_rejected",
        {"type": "string", "enum": ["dead_letter", "stop"]},
        "With `stop` a sync fails at its first rejected row; its bookmark stays.",
        "dead_letter",
    ),
    Setting(
        "max_rejected_ratio",
        {"type": "number", "minimum": 0, "maximum": 1},
        "From 10 rejected rows of a sync on: above this ratio of its rows the sync fails, and its "
        "bookmark stays.",
        0.1,
    ),
    Setting(
        "null_values",
        _NULLS,
        "Omit NULL traits and properties, or send them as null.",
        "omit",
    ),
    Setting(
        "stream_null_values",
        {"type": "object", "additionalProperties": {"anyOf": [_NULLS, _NULLS_BY_COLUMN]}},
        "Stream → `omit` or `send`, or an object of columns with one of them, instead of "
        '`null_values`: `{"users": {"plan": "send"}}`.',
        {},
    ),
    Setting(
        "price_per_1000_calls",
        {"type": "number", "minimum": 0},
        "What 1,000 calls cost, in any currency: `mssql-reverse-etl plan` estimates costs with it.",
    ),
    Setting(
        "destination_options",
        {"type": "object"},
        "Settings of a plugin's destination, by name; `target-pipelines --list-destinations` lists "
        "them.",
        {},
        secret=True,
    ),
)
"""Settings of one destination."""

_NAME = Setting(
    "name",
    {"type": "string", "pattern": NAME_PATTERN},
    "The destination's name in dead letters and the summary. Default: its `destination`.",
)
_OWN_SETTINGS = (_NAME, *(replace(setting, default=None) for setting in DESTINATION_SETTINGS))

RUN_SETTINGS = (
    Setting(
        "destinations",
        {
            "type": "array",
            "items": {
                **json_schema_of(_OWN_SETTINGS, closed=True),
                "required": ["destination"],
            },
        },
        "Several destinations in one run, instead of `destination`: objects with a `name` and any "
        "of the settings above, which set their defaults. A state waits for all destinations.",
        [],
    ),
    Setting(
        "call_types",
        {"type": "object", "additionalProperties": {**_TEXT, "type": ["string", "null"]}},
        "Stream → call type, for taps that send no call type, or to override it; null leaves the "
        "stream out.",
        {},
    ),
    Setting(
        "json_columns",
        {"type": "object", "additionalProperties": {"type": "array", "items": _TEXT}},
        "Stream → columns whose text is JSON, for taps that send it as text. Text that is not JSON "
        "stays as it is.",
        {},
    ),
    Setting(
        "processes",
        {"type": "integer", "minimum": 1, "maximum": 64},
        "Worker processes, which divide `concurrency` and `requests_per_second` among them. Calls "
        "of one person stay in one process. Useful if the CPU is the bottleneck, not the API.",
        1,
    ),
    Setting(
        "message_id_salt",
        {"type": "string"},
        "Makes the message ids of two tenants differ.",
        "",
        secret=True,
    ),
    Setting(
        "blocked_plugins",
        {"type": "array", "items": _TEXT},
        "Names of plugins not to load, built-in ones included.",
        [],
    ),
    Setting(
        "retry_rejected",
        {"type": "integer", "minimum": 0},
        "`mssql-reverse-etl run` sends a call that the destination rejected again at the start of "
        "the following runs, this many times at most; 0 switches it off.",
        3,
    ),
    Setting("report_path", _PATH, "Write the summary of the run here, as JSON."),
)
"""Settings of a whole run."""

TARGET_SETTINGS = (*DESTINATION_SETTINGS, *RUN_SETTINGS)

CONFIG_JSONSCHEMA = json_schema_of(TARGET_SETTINGS, closed=True)
ENVIRONMENT = Environment("TARGET_PIPELINES_", CONFIG_JSONSCHEMA["properties"])
