"""The six calls of the Data Pipelines API, one module each, as plugins of target-pipelines."""
