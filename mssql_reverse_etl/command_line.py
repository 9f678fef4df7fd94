"""The console script `mssql-reverse-etl`: its commands; errors as messages and exit codes."""

from __future__ import annotations

import logging

import click

from mssql_reverse_etl.commands.check import check
from mssql_reverse_etl.commands.init import init
from mssql_reverse_etl.commands.project_option import project_option
from mssql_reverse_etl.commands.rejected import rejected
from mssql_reverse_etl.commands.run import run
from mssql_reverse_etl.commands.runs import runs
from mssql_reverse_etl.commands.schema import schema
from mssql_reverse_etl.commands.status import status
from program_kit.command_line import run_program
from program_kit.logs import LOG_FORMAT, log_level
from program_kit.startup import open_closed_streams

logger = logging.getLogger("mssql-reverse-etl")


@click.group()
@project_option
@click.version_option(package_name="mssql-reverse-etl")
def cli() -> None:
    """Reverse ETL for Microsoft SQL Server: rows of queries become calls of customer-data APIs."""


for command in (check, init, rejected, run, runs, schema, status):
    cli.add_command(command)


def main() -> None:
    """Run the command line; exits with a code of `errors`, of the tap's or of the target's."""
    open_closed_streams()
    logging.basicConfig(level=log_level(logger.name), format=LOG_FORMAT, style="{")
    run_program(cli, logger)
