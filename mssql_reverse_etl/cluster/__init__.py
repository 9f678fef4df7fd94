"""A run on a Dask cluster: one task for each partition."""
