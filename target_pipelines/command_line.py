"""The command line of the target; its exit codes are those of `errors`."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from program_kit import events
from program_kit.command_line import read_config, run_program
from program_kit.logs import LOG_FORMAT, log_level
from program_kit.report_file import find_report_path, remove_report
from target_pipelines.api.errors import ConfigurationError
from target_pipelines.api.settings_table import ENVIRONMENT
from target_pipelines.run.runner import Runner

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NAME = "target-pipelines"

logger = logging.getLogger(NAME)


@click.command(NAME)
@click.option("--version", is_flag=True, help="Display the package version.")
@click.option("--about", is_flag=True, help="Display package metadata and settings.")
@click.option(
    "--format",
    "about_format",
    type=click.Choice(["json", "markdown"], case_sensitive=False),
    help="Specify output style for --about",
)
@click.option(
    "--config",
    "paths",
    multiple=True,
    help="Configuration file location or 'ENV' to use environment variables.",
)
@click.option(
    "--input",
    "source",
    type=click.File("rb"),
    help="A path to read messages from instead of from standard in.",
)
@click.option(
    "--dry-run", is_flag=True, help="Print the calls instead of sending them; counts on stderr."
)
@click.option(
    "--plan",
    is_flag=True,
    help="Count the calls and requests of a run instead of sending them; print no calls.",
)
@click.option(
    "--replay",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Send the dead letters of this file again; those that fail again stay in it.",
)
@click.option(
    "--stream",
    "streams",
    multiple=True,
    metavar="NAME",
    help="With --replay: only the dead letters of this stream; the others stay. Repeatable.",
)
@click.option(
    "--retry-rejected",
    is_flag=True,
    help="Send again the calls that destinations rejected, each `retry_rejected` times at most.",
)
@click.option("--list-call-types", is_flag=True, help="Show the call types and their plugins.")
@click.option(
    "--list-destinations",
    is_flag=True,
    help="Show the destinations, their own settings and their plugins.",
)
def command(
    *,
    version: bool,
    about: bool,
    about_format: str | None,
    paths: Sequence[str],
    source: IO[bytes] | None,
    dry_run: bool,
    plan: bool,
    replay: Path | None,
    streams: Sequence[str],
    retry_rejected: bool,
    list_call_types: bool,
    list_destinations: bool,
) -> None:
    """Deliver the rows of Singer messages as calls."""
    if version or about:
        _print_about(about_format, is_version=version)
        return
    if streams and replay is None:
        raise ConfigurationError("--stream limits --replay. Add --replay FILE.")
    config = read_target_config(paths)
    if list_call_types or list_destinations:
        _list(config, call_types=list_call_types, destinations=list_destinations)
        return
    if plan and (replay is not None or retry_rejected):
        raise ConfigurationError("--plan counts what a run would send. Leave it out here.")
    runner = Runner(config, is_dry_run=dry_run, is_plan=plan)
    runner.catch_signals()
    if replay is not None:
        runner.replay(replay, streams)
    elif retry_rejected:
        runner.retry_rejected()
    else:
        runner.deliver(source or sys.stdin.buffer)


def _print_about(about_format: str | None, *, is_version: bool) -> None:
    from target_pipelines.sdk_plugin import PipelinesPlugin  # noqa: PLC0415 - slow

    if is_version:
        PipelinesPlugin.print_version(click.echo)
    else:
        PipelinesPlugin.print_about(about_format)


def _list(config: Mapping[str, Any], *, call_types: bool, destinations: bool) -> None:
    from target_pipelines.plugins.listing import (  # noqa: PLC0415 - slow
        print_call_types,
        print_destinations,
    )
    from target_pipelines.run.configuration import load_configuration  # noqa: PLC0415 - with it

    plugins = load_configuration(config).plugins
    if call_types:
        print_call_types(plugins.call_types)
    if destinations:
        print_destinations(plugins.destinations)


def read_target_config(paths: Sequence[str]) -> Mapping[str, Any]:
    """The settings of all files, later ones over earlier ones. Raises ConfigurationError."""
    try:
        return read_config(paths, ConfigurationError, ENVIRONMENT)
    except ConfigurationError:
        remove_report(find_report_path(paths, env_prefix="TARGET_PIPELINES"))
        raise


def main() -> None:
    """The console script `target-pipelines`."""
    if "SINGER_SDK_LOG_CONFIG" in os.environ:  # set by Meltano for structured logs
        from target_pipelines.sdk_plugin import PipelinesPlugin  # noqa: PLC0415 - slow

        PipelinesPlugin.configure_logging()
    else:
        logging.basicConfig(level=log_level(logger.name), format=LOG_FORMAT, style="{")
    if events.are_wanted():
        events.send_log()
    logging.captureWarnings(capture=True)
    run_program(command, logger)
