"""Runs batches: sessions, transactions, statements, and what DuckDB answers."""
