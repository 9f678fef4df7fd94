"""What a sync's run needs from the program around it, without singer-sdk's classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import pyarrow as pa

    from tap_mssql_query.encoding.columns import Column
    from tap_mssql_query.encoding.row_encoder import LossyConversions
    from tap_mssql_query.mssql.connections import Connections
    from tap_mssql_query.settings.model import TapSettings
    from tap_mssql_query.sync.report import TapReport
    from tap_mssql_query.sync.run_errors import RunErrors
    from tap_mssql_query.sync.run_options import RunOptions

Lines: TypeAlias = "bytes | pa.Buffer"
"""Encoded Singer messages, each with its line break."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContext:
    """What all syncs of one run of the tap share.

    Attributes:
        settings: the tap's settings.
        options: the options of the command line.
        state: the Singer state; syncs change their own bookmarks in it.
        write_lines: writes messages to stdout; raises OutputClosed or Interrupted.
        write_state: writes `state` as a STATE message, unless the last one was the same.
        connections: opens sessions; a database that cannot be reached is tried once.
        report: collects the outcome of each sync.
        errors: collects failures.
    """

    settings: TapSettings
    options: RunOptions
    state: dict[str, Any]
    write_lines: Callable[[Lines], None]
    write_state: Callable[[], None]
    connections: Connections
    report: TapReport
    errors: RunErrors


class MessageFormat(Protocol):
    """Makes the SCHEMA and RECORD messages of a sync, as selection and stream maps ask for."""

    @property
    def max_records(self) -> int | None:
        """The SDK's limit for a test of the connection; None for a run."""

    def schema_messages(self, columns: Sequence[Column]) -> Iterable[Mapping[str, Any]]:
        """The SCHEMA messages of a result. Raises QueryFailed if it cannot become records."""

    def record_encoder(
        self, columns: Sequence[Column], conversions: LossyConversions
    ) -> Callable[[pa.RecordBatch], Iterable[Lines]]:
        """A function from a batch of rows to RECORD lines. Call it after `schema_messages`."""
