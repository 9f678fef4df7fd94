"""T-SQL text to statements and sqlglot trees."""
