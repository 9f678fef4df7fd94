"""T-SQL's built-in functions, by what they work on."""
