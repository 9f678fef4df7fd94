"""The SQL engine behind the sandbox's SQL Server: T-SQL, run by DuckDB in memory."""

from __future__ import annotations

from sandbox.sql_server.engine.engine import DuckDBEngine

__all__ = ["DuckDBEngine"]
