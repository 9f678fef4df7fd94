"""A SQL Server and a Data Pipelines API for a laptop: what the demo and the tests talk to."""
