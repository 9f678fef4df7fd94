"""The target's settings as typed values, checked once at the start."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields, replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jsonschema_rs import validator_for

from program_kit.json_schema import describe_setting, describe_violation, find_schema_errors
from program_kit.problems import Problem
from program_kit.settings import describe_placeholder, is_placeholder, without_comments
from target_pipelines.api.settings_table import CONFIG_JSONSCHEMA, TARGET_SETTINGS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from program_kit.problems import Path as SettingPath


NullValues = str | dict[str, str]
"""`omit` or `send`; or one of them by column, and under "" for the other columns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetSettings:
    """The settings of a run with one destination; see `docs/settings.md`.

    None stands for the destination's own value.
    """

    destination: str = "file"
    name: str | None = None
    output_path: str = "calls.jsonl"
    write_key: str | None = field(default=None, repr=False)
    region: str = "us"
    endpoint: str | None = None
    strict: bool = True
    call_types: Mapping[str, str | None] = field(default_factory=dict)
    json_columns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    batch_max_bytes: int | None = None
    batch_max_calls: int | None = None
    call_max_bytes: int | None = None
    concurrency: int = 4
    requests_per_second: float | None = None
    gzip: bool = False
    trust_environment: bool = False
    ca_file: str | None = None
    timeout_seconds: float = 30
    max_retry_seconds: float = 600
    dead_letter_path: str = "dead_letters.jsonl"
    on_rejected: str = "dead_letter"
    max_rejected_ratio: float = 0.1
    null_values: str = "omit"
    stream_null_values: Mapping[str, str | Mapping[str, str]] = field(default_factory=dict)
    price_per_1000_calls: float | None = None
    destination_options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    message_id_salt: str = field(default="", repr=False)
    processes: int = 1
    blocked_plugins: Sequence[str] = ()
    report_path: str | None = None
    retry_rejected: int = 3

    def null_values_of(self, stream: str) -> NullValues:
        """What becomes of NULL in the columns of a stream."""
        own = self.stream_null_values.get(stream, self.null_values)
        return own if isinstance(own, str) else {"": self.null_values, **own}

    @property
    def destination_name(self) -> str:
        """The destination's name in dead letters and the summary."""
        return self.name or self.destination


@dataclass(frozen=True, slots=True)
class ParsedSettings:
    """The valid part of a configuration.

    Attributes:
        run: the settings of the whole run.
        destinations: `run` with what each destination sets differently; one or more.
        problems: what is invalid.
        faulty: the paths of the settings with problems, whose values are left out.
    """

    run: TargetSettings
    destinations: Sequence[TargetSettings]
    problems: Sequence[Problem]
    faulty: Collection[SettingPath] = ()


def parse_settings(config: Mapping[str, Any]) -> ParsedSettings:
    """Check a configuration against the table of settings."""
    config = without_comments(config)
    is_valid = validator_for(CONFIG_JSONSCHEMA).is_valid(dict(config))
    errors = [] if is_valid else find_schema_errors(CONFIG_JSONSCHEMA, config)
    faulty = {tuple(error.path) for error in errors}
    run = TargetSettings(**_well_formed(config, faulty))
    entries = [] if ("destinations",) in faulty else config.get("destinations", [])
    destinations = [
        _settings_of(entry, run, {path[2:] for path in faulty if path[:2] == ("destinations", n)})
        for n, entry in enumerate(entries)
        if isinstance(entry, dict)
    ]
    problems = [describe_violation(error) for error in errors]
    problems += _find_placeholders(config, entries)
    return ParsedSettings(run, destinations or [run], problems, faulty)


def _find_placeholders(config: Mapping[str, Any], entries: Sequence[Any]) -> Iterator[Problem]:
    """Secrets that were not replaced: the API would refuse every call."""
    listed = ((("destinations", number), entry) for number, entry in enumerate(entries))
    for path, values in (((), config), *listed):
        for setting in TARGET_SETTINGS if isinstance(values, dict) else ():
            if setting.secret and is_placeholder(values.get(setting.name)):
                place = (*path, setting.name)
                yield Problem(f"{describe_placeholder(describe_setting(place))}.", place)


def _settings_of(
    entry: Mapping[str, Any], run: TargetSettings, faulty: Collection[tuple[str | int, ...]]
) -> TargetSettings:
    """One entry of `destinations`; by default its dead letters have a file of their own."""
    values = _well_formed(entry, faulty)
    settings = replace(run, **values)
    if "dead_letter_path" in values:
        return settings
    path = Path(run.dead_letter_path)
    name = re.sub(r"[^\w.-]", "_", settings.destination_name)  # it may be invalid
    own_path = path.with_name(f"{path.stem}.{name}{path.suffix}")
    return replace(settings, dead_letter_path=str(own_path))


def _well_formed(
    config: Mapping[str, Any], faulty: Collection[tuple[str | int, ...]]
) -> dict[str, Any]:
    """The values of known settings without errors."""
    known = {entry.name for entry in fields(TargetSettings)} - {path[0] for path in faulty if path}
    # singer-sdk parses numbers in a configuration file as Decimal.
    return {
        key: float(value) if isinstance(value, Decimal) else value
        for key, value in config.items()
        if key in known
    }
