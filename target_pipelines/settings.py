"""The target's settings as values: checked once, at the start; past this nobody sees a raw dict."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator

from tap_mssql_query.settings_schema import complaint_of
from target_pipelines.settings_table import CONFIG_JSONSCHEMA

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jsonschema import ValidationError


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetSettings:
    """All settings of a run, as `docs/settings.md` describes them. None: the destination's own."""

    destination: str = "file"
    output_path: str = "calls.jsonl"
    write_key: str | None = field(default=None, repr=False)
    region: str = "us"
    endpoint: str | None = None
    strict: bool = True
    call_types: Mapping[str, str] = field(default_factory=dict)
    batch_max_bytes: int | None = None
    batch_max_calls: int | None = None
    call_max_bytes: int | None = None
    concurrency: int = 4
    requests_per_second: float | None = None
    gzip: bool = False
    trust_environment: bool = False
    timeout_seconds: float = 30
    max_retry_seconds: float = 600
    dead_letter_path: str = "dead_letters.jsonl"
    on_rejected: str = "dead_letter"
    max_rejected_ratio: float = 0.1
    null_values: str = "omit"
    message_id_salt: str = field(default="", repr=False)
    blocked_plugins: Sequence[str] = ()
    report_path: str | None = None


def parse_settings(config: Mapping[str, Any]) -> tuple[TargetSettings, list[str]]:
    """The settings that are well-formed, and the problems of those that are not."""
    errors = sorted(
        Draft202012Validator(CONFIG_JSONSCHEMA).iter_errors(dict(config)),
        key=lambda error: list(map(str, error.path)),
    )
    faulty = {error.path[0] for error in errors if error.path}
    known = {entry.name for entry in fields(TargetSettings)} - faulty
    # singer-sdk reads numbers of a configuration file as Decimal.
    values: dict[str, Any] = {
        key: float(value) if isinstance(value, Decimal) else value
        for key, value in config.items()
        if key in known
    }
    settings = TargetSettings(**values)
    return settings, [f"{_place_of(error)} {complaint_of(error)}." for error in errors]


def _place_of(error: ValidationError) -> str:
    path = ".".join(map(str, error.path))
    return f"Setting `{path}`" if path else "The configuration"
