"""The calls of the Data Pipelines API as plugins of target-pipelines, one module each."""
