"""The calls that some rows become at each destination, and what of the rows is not in them.

The rows go through the pipeline of a run, up to its destinations, which keep the calls.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from program_kit.exact_json import decode_object
from target_pipelines.acknowledgements.acks import Acks
from target_pipelines.acknowledgements.report import RunReport
from target_pipelines.acknowledgements.stream_failures import StreamFailures
from target_pipelines.api.outcomes import Delivered
from target_pipelines.encoding.column_paths import find_path, is_metadata
from target_pipelines.run.bookkeeping import Bookkeeping, find_newer_calls
from target_pipelines.run.build import build_pipeline
from target_pipelines.run.dispatch import Dispatcher
from target_pipelines.run.dry_run import PlannedDestination
from target_pipelines.run.lifecycle import running

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from target_pipelines.api.calls import EncodedCall
    from target_pipelines.api.destinations import Destination
    from target_pipelines.api.errors import PipelinesError
    from target_pipelines.api.outcomes import Outcome
    from target_pipelines.run.configuration import Configuration
    from target_pipelines.singer.streams import Stream


@dataclass(slots=True)
class PreviewedRow:
    """One row at one destination.

    Attributes:
        call: the bytes of its call; None if it has none.
        reason: why it was rejected; empty for a call, or a row that was filtered out.
        null_columns: columns that are left out because they are NULL.
        unsent_columns: columns that are in no call, and why.
    """

    call: bytes | None = None
    reason: str = ""
    null_columns: Sequence[str] = ()
    unsent_columns: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_filtered(self) -> bool:
        """Whether its call type makes no call of it."""
        return self.call is None and not self.reason


@dataclass(slots=True)
class Preview:
    """Some rows of one stream.

    Attributes:
        columns: their names, in the order of the query.
        rows: the values of each row, in JSON.
        destinations: the same rows at each destination, by its name.
        error: why the stream fails at once, if it does.
    """

    columns: Sequence[str] = ()
    rows: list[Mapping[str, Any]] = field(default_factory=list)
    destinations: dict[str, list[PreviewedRow]] = field(default_factory=dict)
    error: PipelinesError | None = None


def preview_calls(configuration: Configuration, messages: Iterable[bytes]) -> Preview:
    """What the Singer messages of one stream become, each message a line. Raises PipelinesError."""
    calls: dict[str, dict[int, bytes]] = defaultdict(dict)
    letters = {each.destination_name: _KeptLetters() for each in configuration.destinations}
    failures = StreamFailures({})
    books = Bookkeeping(
        acks=Acks(lambda _state, _epoch: None),
        failures=failures,
        rejected=letters,
        newer_calls=find_newer_calls(configuration),
        finish=lambda: None,
    )
    pipeline = build_pipeline(
        replace(configuration, is_plan=True),
        reports={name: RunReport() for name in letters},
        bookkeeping=books,
        check_interrupted=lambda: None,
        wrap=lambda destination, name: _KeepingDestination(destination, calls[name]),
        shows_progress=False,
    )
    dispatcher = Dispatcher(
        pipeline,
        plugins=configuration.plugins,
        call_types=configuration.settings.call_types,
        failures=failures,
        started_at=configuration.started_at,
    )
    preview = Preview()
    with running(pipeline):
        for line in messages:
            dispatcher.dispatch(line)
            _note(preview, decode_object(line))
    preview.error = next(iter(failures.errors.values()), None)
    stream = next(iter(dispatcher.streams.values()), None)
    for name, kept in letters.items():
        preview.destinations[name] = [
            _row_of(row, stream, calls[name].get(number), kept.reasons.get(number, ""))
            for number, row in enumerate(preview.rows)
        ]
    return preview


def _note(preview: Preview, message: Mapping[str, Any]) -> None:
    if message["type"] == "SCHEMA":
        preview.columns = list(message["schema"].get("properties", {}))
    elif message["type"] == "RECORD":
        preview.rows.append(message["record"])


def _row_of(
    row: Mapping[str, Any], stream: Stream | None, call: bytes | None, reason: str
) -> PreviewedRow:
    if call is None or stream is None:
        return PreviewedRow(None, reason)
    body, columns = decode_object(call), list(row)
    paths = {column: find_path(column, columns, stream.call_type) for column in columns}
    return PreviewedRow(
        call,
        null_columns=[
            column
            for column, path in paths.items()
            if path and row[column] is None and not _has(body, path)
        ],
        unsent_columns={
            column: _why_unsent(column, stream) for column, path in paths.items() if not path
        },
    )


def _has(value: Any, path: Sequence[str]) -> bool:
    for name in path:
        if not isinstance(value, dict) or name not in value:
            return False
        value = value[name]
    return True


def _why_unsent(column: str, stream: Stream) -> str:
    if is_metadata(column):
        return "it is about the extraction"
    return f"{stream.call_type.name} has no field for it"


class _KeepingDestination(PlannedDestination):
    """Keeps the calls by the positions of their rows."""

    def __init__(self, destination: Destination, calls: dict[int, bytes]) -> None:
        super().__init__(destination)
        self._calls = calls

    def send(self, calls: Sequence[EncodedCall]) -> Outcome:
        """Keep the calls."""
        self._calls.update({call.position or 0: call.body for call in calls})
        return Delivered()


class _KeptLetters:
    """Keeps the reasons of rejected rows, by their positions; no number of them is too many."""

    def __init__(self) -> None:
        self.reasons: dict[int, str] = {}

    def add(self, stream: str, epoch: int, lines: bytes, reasons: Sequence[str]) -> None:  # noqa: ARG002
        """Keep dead letters."""
        for line, reason in zip(lines.splitlines(), reasons, strict=True):
            self.reasons[decode_object(line)["position"]] = reason
