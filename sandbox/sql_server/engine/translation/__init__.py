"""Translates sqlglot trees of T-SQL to DuckDB SQL; `rules` collects the parts."""
