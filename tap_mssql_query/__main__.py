"""`python -m tap_mssql_query`: the same as `tap-mssql-query`."""

from tap_mssql_query.command_line import tap

tap()
