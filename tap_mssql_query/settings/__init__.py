"""The settings of the tap: their table, their validation, and their typed values."""
