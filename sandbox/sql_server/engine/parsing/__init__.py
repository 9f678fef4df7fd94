"""Parses T-SQL text into statements and sqlglot trees."""
