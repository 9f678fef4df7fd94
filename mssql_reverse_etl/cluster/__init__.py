"""A run on a Dask cluster: partitions as tasks, results back, one state file."""
