"""A local SQL Server and a local Data Pipelines API, for the demo and the tests."""
