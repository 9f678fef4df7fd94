"""The console script `mssql-reverse-etl`: its commands; errors as messages and exit codes."""

from __future__ import annotations

import logging

import click

from mssql_reverse_etl.commands.check import check
from mssql_reverse_etl.commands.init import init
from mssql_reverse_etl.commands.log_option import log_format_option
from mssql_reverse_etl.commands.plan import plan
from mssql_reverse_etl.commands.preview import preview
from mssql_reverse_etl.commands.project_option import project_option
from mssql_reverse_etl.commands.rejected import rejected
from mssql_reverse_etl.commands.run import run
from mssql_reverse_etl.commands.runs import runs
from mssql_reverse_etl.commands.schema import schema
from mssql_reverse_etl.commands.status import status
from mssql_reverse_etl.log import configure_log, log_format_of_environment
from program_kit.command_line import run_program
from program_kit.startup import open_closed_streams

logger = logging.getLogger("mssql-reverse-etl")


@click.group()
@project_option
@log_format_option
@click.version_option(package_name="mssql-reverse-etl")
def cli() -> None:
    """Reverse ETL for Microsoft SQL Server: rows of queries become calls of customer-data APIs."""


for command in (check, init, plan, preview, rejected, run, runs, schema, status):
    cli.add_command(command)


def main() -> None:
    """Run the command line; exits with a code of `errors`, of the tap's or of the target's."""
    open_closed_streams()
    configure_log(log_format_of_environment())
    run_program(cli, logger)
