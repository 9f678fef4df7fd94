"""Builds the pipeline of a configuration."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING

from program_kit.exact_json import encode_json
from target_pipelines.api.errors import DeliveryError, OutputClosed
from target_pipelines.run.destination_pipeline import DestinationPipeline
from target_pipelines.run.dry_run import DryRunDestination, PlannedDestination, line_template
from target_pipelines.run.pipeline import Pipeline

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from target_pipelines.acknowledgements.acks import State
    from target_pipelines.acknowledgements.report import RunReport
    from target_pipelines.api.destinations import Destination
    from target_pipelines.run.bookkeeping import Bookkeeping
    from target_pipelines.run.configuration import Configuration
    from target_pipelines.singer.stdout import Write


def build_pipeline(
    configuration: Configuration,
    *,
    reports: Mapping[str, RunReport],
    bookkeeping: Bookkeeping,
    check_interrupted: Callable[[], None],
    write_calls: Write | None = None,
    wrap: Callable[[Destination, str], Destination] | None = None,
    shows_progress: bool = True,
    logs_warnings: bool = True,
) -> Pipeline:
    """A pipeline to all destinations of a configuration.

    Raises ConfigurationError if a destination cannot be opened.

    Args:
        configuration: checked settings and loaded plugins.
        reports: one for each destination, by name.
        bookkeeping: what the destinations share.
        check_interrupted: raises Interrupted if a signal asked the run to end.
        write_calls: for a dry run: writes calls instead of sending them.
        wrap: makes what gets the calls instead of a destination, from it and its name.
        shows_progress: whether to log progress if stderr is a terminal.
        logs_warnings: whether to log warnings about a stream's columns.
    """
    destinations = []
    for settings in configuration.destinations:
        destination = configuration.plugins.open_destination(settings)
        if wrap:
            destination = wrap(destination, settings.destination_name)
        elif configuration.is_plan:
            destination = PlannedDestination(destination)
        elif write_calls:
            count = len(configuration.destinations)
            template = line_template(settings.destination_name, count)
            destination = DryRunDestination(destination, write_calls, template)
        is_sent = not configuration.is_plan and write_calls is None
        destinations.append(
            DestinationPipeline(
                settings if is_sent else replace(settings, requests_per_second=None),
                destination,
                bookkeeping,
                report=reports[settings.destination_name],
                check_interrupted=check_interrupted,
                jitter=random.random,
                logs_warnings=logs_warnings,
            )
        )
    return Pipeline(destinations, bookkeeping, shows_progress=shows_progress)


def print_state(write: Write, state: State) -> None:
    """Print a STATE on stdout. Raises OutputClosed or DeliveryError."""
    try:
        write(encode_json(state) + b"\n")
    except BrokenPipeError as error:
        raise OutputClosed("stdout was closed, so that no further state can be printed") from error
    except OSError as error:
        raise DeliveryError(
            f"A state cannot be written to stdout ({error.strerror}). Free disk space and run it "
            "again: calls that no state covers are sent again, with the same messageIds."
        ) from error
