"""`python -m target_pipelines`: the same as `target-pipelines`."""

from tap_mssql_query.command_line import target

target()
