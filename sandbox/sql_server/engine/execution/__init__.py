"""Runs batches: sessions, transactions, statement handlers, DuckDB's results and errors."""
