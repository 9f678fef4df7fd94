"""What the destinations of a run share: acknowledgements, failed streams, rejected rows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from target_pipelines.acknowledgements.acks import Acks
from target_pipelines.acknowledgements.dead_letters import DeadLetters
from target_pipelines.acknowledgements.newer_calls import NewerCalls
from target_pipelines.acknowledgements.rejected_rows import RejectedRows, RejectionKeeper
from target_pipelines.acknowledgements.staged_dead_letters import StagedDeadLetters
from target_pipelines.acknowledgements.state_writer import StateWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from target_pipelines.acknowledgements.acks import State
    from target_pipelines.acknowledgements.report import RunReport
    from target_pipelines.acknowledgements.stream_failures import StreamFailures
    from target_pipelines.run.configuration import Configuration


@dataclass(frozen=True, slots=True)
class Bookkeeping:
    """What a pipeline's destinations share.

    Attributes:
        acks: which STATE is safe.
        failures: the streams that have failed.
        rejected: the rejected rows of each destination, by its name.
        newer_calls: which dead letters of each destination are superseded, by its name.
        finish: writes what no STATE covers, once the run has succeeded. Raises PipelinesError.
    """

    acks: Acks
    failures: StreamFailures
    rejected: Mapping[str, RejectionKeeper]
    newer_calls: Mapping[str, NewerCalls]
    finish: Callable[[], None]


def find_newer_calls(configuration: Configuration) -> Mapping[str, NewerCalls]:
    """What finds the superseded letters of each destination, by its name; it has read none yet."""
    return {
        settings.destination_name: NewerCalls(
            Path(settings.dead_letter_path), partial(configuration.is_letter_of, settings)
        )
        for settings in configuration.destinations
    }


def keep_rejected(
    configuration: Configuration,
    failures: StreamFailures,
    count_read: Callable[[str, str], int],
    staged: StagedDeadLetters | None = None,
    *,
    check_interrupted: Callable[[], None] = lambda: None,
) -> Mapping[str, RejectedRows]:
    """The rejected rows of each destination, by its name.

    Args:
        configuration: has the settings of each destination.
        failures: the failed streams of the run.
        count_read: how many rows a destination has read of a stream; of all, if it is empty.
        staged: one place for the dead letters of all destinations, instead of their own files.
        check_interrupted: ends the wait for a file that another process has locked.
    """
    return {
        settings.destination_name: RejectedRows(
            staged
            or StagedDeadLetters(DeadLetters(Path(settings.dead_letter_path), check_interrupted)),
            failures,
            settings,
            lambda stream, name=settings.destination_name: count_read(name, stream),  # type: ignore[misc]
        )
        for settings in configuration.destinations
    }


def keep_books(
    configuration: Configuration,
    *,
    reports: Mapping[str, RunReport],
    failures: StreamFailures,
    newer_calls: Mapping[str, NewerCalls],
    write_state: Callable[[State], None],
    staged: StagedDeadLetters | None = None,
    check_interrupted: Callable[[], None] = lambda: None,
) -> Bookkeeping:
    """The bookkeeping of a run in one process; the last two arguments as in `keep_rejected`."""
    rejected = keep_rejected(
        configuration,
        failures,
        lambda name, stream: reports[name].count_read(stream),
        staged,
        check_interrupted=check_interrupted,
    )
    letters = dict.fromkeys(rows.dead_letters for rows in rejected.values())
    writer = StateWriter(write_state, failures, list(letters))
    return Bookkeeping(Acks(writer.write), failures, rejected, newer_calls, writer.finish)
