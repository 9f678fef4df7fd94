"""The project file: `reverse_etl.yml`, read with the place of every value."""

FILE_NAME = "reverse_etl.yml"
FOLDER = ".reverse_etl"
"""Beside the file: the state, dead letters, history and schema."""
