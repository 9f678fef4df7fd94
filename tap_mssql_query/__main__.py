"""`python -m tap_mssql_query`: the same as `tap-mssql-query`."""

from program_kit.command_line import tap

tap()
