"""The conductor: runs tap and target as one command, here or on a Dask cluster.

It holds no mapping and no delivery of its own; both are the programs'.
"""
