"""The target's settings as one table: names, types, defaults, help.

From it come the JSON Schema, `--about`, the documentation and Meltano's definition.
"""

from __future__ import annotations

from dataclasses import replace

from program_kit.settings import Setting, json_schema_of

NAME_PATTERN = "^[A-Za-z0-9_-]+$"

_TEXT = {"type": "string", "minLength": 1}
_PATH = {"type": "string", "minLength": 1}
_COUNT = {"type": "integer", "minimum": 1}
_SECONDS = {"type": "number", "exclusiveMinimum": 0}

DESTINATION_SETTINGS = (
    Setting(
        "destination",
        _TEXT,
        "`file`, `customerio`, `segment`, `rudderstack`, `hightouch`, `jitsu`, `webhook`, or a "
        "plugin's.",
        "file",
    ),
    Setting("output_path", _PATH, "For `file`: one call per line is appended here.", "calls.jsonl"),
    Setting("write_key", _TEXT, "The API's key; what signs a `webhook`.", secret=True),
    Setting(
        "region",
        {"type": "string", "enum": ["us", "eu"]},
        "Which of the destination's regions.",
        "us",
    ),
    Setting(
        "endpoint",
        {"type": "string", "pattern": "^https?://"},
        "Base URL, instead of the destination's own, such as `http://127.0.0.1:8090/v1`; the "
        "host for `jitsu`; the whole URL for `webhook`.",
    ),
    Setting(
        "strict",
        {"type": "boolean"},
        "Ask Customer.io to refuse faulty calls (`X-Strict-Mode: 1`) instead of dropping them.",
        default=True,
    ),
    Setting("batch_max_bytes", _COUNT, "Bytes of one request at most. The destination's limit."),
    Setting("batch_max_calls", _COUNT, "Calls of one request at most. The destination's limit."),
    Setting("call_max_bytes", _COUNT, "Bytes of one call at most. The destination's limit."),
    Setting(
        "concurrency",
        {"type": "integer", "minimum": 1, "maximum": 64},
        "Requests in flight at once. One person's calls are never in two of them.",
        4,
    ),
    Setting(
        "requests_per_second",
        _SECONDS,
        "Requests per second at most, over all connections. The destination's limit.",
    ),
    Setting(
        "gzip",
        {"type": "boolean"},
        "Compress requests. Customer.io's own SDK can; its documents do not mention it.",
        default=False,
    ),
    Setting(
        "trust_environment",
        {"type": "boolean"},
        "Take proxies and `.netrc` from the environment.",
        default=False,
    ),
    Setting("timeout_seconds", _SECONDS, "For one attempt.", 30),
    Setting("max_retry_seconds", _SECONDS, "For one batch over all its attempts.", 600),
    Setting(
        "dead_letter_path",
        _PATH,
        "Calls that will never be accepted are appended here, with the reason.",
        "dead_letters.jsonl",
    ),
    Setting(
        "on_rejected",
        {"type": "string", "enum": ["dead_letter", "stop"]},
        "`stop` ends the run at the first call that is rejected, and the state stays.",
        "dead_letter",
    ),
    Setting(
        "max_rejected_ratio",
        {"type": "number", "minimum": 0, "maximum": 1},
        "Above it, and above 100 calls, the run stops and the state stays.",
        0.1,
    ),
    Setting(
        "null_values",
        {"type": "string", "enum": ["omit", "send"]},
        "Whether NULL traits and properties are left out, or sent as null.",
        "omit",
    ),
)
"""What one destination is delivered with."""

_NAME = Setting(
    "name",
    {"type": "string", "pattern": NAME_PATTERN},
    "Tells it from the others, in dead letters and the summary; its `destination` unless set.",
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
        "Several destinations of one run, instead of `destination`: objects with a `name` and any "
        "of the settings above; what one does not set is as above. The state waits for all.",
        [],
    ),
    Setting(
        "call_types",
        {"type": "object", "additionalProperties": _TEXT},
        "Stream → call type, for taps that do not say, and to override.",
        {},
    ),
    Setting(
        "processes",
        {"type": "integer", "minimum": 1, "maximum": 64},
        "Processes that map and send; `concurrency` and `requests_per_second` are shared out among "
        "them. One person's calls stay in one. For where a processor, not the API, is the limit.",
        1,
    ),
    Setting(
        "message_id_salt",
        {"type": "string"},
        "Keeps message ids of two tenants apart.",
        "",
        secret=True,
    ),
    Setting(
        "blocked_plugins",
        {"type": "array", "items": _TEXT},
        "Plugins that are not loaded, by name; built-in ones too.",
        [],
    ),
    Setting("report_path", _PATH, "The summary of the run is written here, as JSON."),
)
"""What holds for a whole run."""

TARGET_SETTINGS = (*DESTINATION_SETTINGS, *RUN_SETTINGS)

CONFIG_JSONSCHEMA = json_schema_of(TARGET_SETTINGS, closed=True)
