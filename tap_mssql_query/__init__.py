"""tap-mssql-query: the rows of SQL Server queries as Singer messages."""

__version__ = "0.1.0"
