"""The text of queries: variables, safety, ranges. Pure; never connects to a server."""
