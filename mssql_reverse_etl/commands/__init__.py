"""One module for each command of `mssql-reverse-etl`: its options, and which function runs it.

A command imports what it runs when it is called, so that `--help` starts fast.
"""
