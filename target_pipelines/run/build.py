"""Puts a run together: a configuration → the pipeline with a route to each destination."""

from __future__ import annotations

import random
from pathlib import Path
from typing import TYPE_CHECKING

from program_kit.exact_json import encode_json
from target_pipelines.acknowledgements.acks import Acks
from target_pipelines.acknowledgements.dead_letters import DeadLetters
from target_pipelines.api.errors import DeliveryError, OutputClosed
from target_pipelines.run.destination_pipeline import DestinationPipeline
from target_pipelines.run.dry_run import CountedDeadLetters, DryRunDestination
from target_pipelines.run.pipeline import Pipeline

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from target_pipelines.acknowledgements.acks import State
    from target_pipelines.acknowledgements.report import RunReport
    from target_pipelines.api.destinations import Destination
    from target_pipelines.api.settings import TargetSettings
    from target_pipelines.run.configuration import Configuration
    from target_pipelines.singer.stdout import Write


def build_pipeline(
    configuration: Configuration,
    *,
    reports: Mapping[str, RunReport],
    write_state: Callable[[State], None],
    check_interrupted: Callable[[], None],
    dead_letters: DeadLetters | None = None,
    write_calls: Write | None = None,
    shows_progress: bool = True,
) -> Pipeline:
    """A pipeline with a route to each destination.

    Raises ConfigurationError if a destination cannot be opened.

    Args:
        configuration: what it is made of.
        reports: one for each destination, by its name.
        write_state: takes the safe states.
        check_interrupted: raises Interrupted when the run is to end.
        dead_letters: those of all destinations, where their settings are not to say.
        write_calls: for a dry run: takes the calls, which are not sent.
        shows_progress: on a terminal.
    """
    acks = Acks(write_state)
    routes = []
    for settings in configuration.destinations:
        destination = configuration.plugins.destinations[settings.destination].open(settings)
        if write_calls:
            destination = _as_dry_run(
                destination, settings, write_calls, len(configuration.destinations)
            )
            letters: DeadLetters = CountedDeadLetters()
        else:
            letters = dead_letters or DeadLetters(Path(settings.dead_letter_path))
        routes.append(
            DestinationPipeline(
                settings,
                destination,
                acks,
                dead_letters=letters,
                report=reports[settings.destination_name],
                check_interrupted=check_interrupted,
                jitter=random.random,
            )
        )
    return Pipeline(
        routes,
        acks,
        plugins=configuration.plugins,
        call_types=configuration.settings.call_types,
        shows_progress=shows_progress,
    )


def _as_dry_run(
    destination: Destination, settings: TargetSettings, write: Write, count: int
) -> DryRunDestination:
    """Prints bare calls; of several destinations, objects of `destination` and `call`."""
    if count == 1:
        return DryRunDestination(destination, write)
    name = settings.destination_name.encode()
    return DryRunDestination(destination, write, b'{"destination":"%b","call":%%b}\n' % name)


def print_state(write: Write, state: State) -> None:
    """Print a state on stdout. Raises OutputClosed or DeliveryError."""
    try:
        write(encode_json(state) + b"\n")
    except BrokenPipeError as error:
        raise OutputClosed("stdout was closed; no further state can be kept") from error
    except OSError as error:
        raise DeliveryError(
            f"A state cannot be written to stdout ({error.strerror}). Make room and run it again: "
            "what no state covers comes once more, with the same messageIds."
        ) from error
