"""The sandbox's SQL engine: T-SQL, translated and run by DuckDB in memory."""

from __future__ import annotations

from sandbox.sql_server.engine.engine import DuckDBEngine

__all__ = ["DuckDBEngine"]
