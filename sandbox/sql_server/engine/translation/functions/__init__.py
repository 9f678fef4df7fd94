"""T-SQL's built-in functions, by area."""
