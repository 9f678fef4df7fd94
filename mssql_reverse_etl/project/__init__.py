"""The project file: `reverse_etl.yml`, read with the place of every value."""
