"""The front door: runs tap and target as one command, on this machine or on a Dask cluster.

It reads and delivers nothing itself; both are the programs' work.
"""
