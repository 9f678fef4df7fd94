"""The settings of the tap: the table, its validation, the typed values."""
