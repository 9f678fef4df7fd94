"""The text of queries: variables, safety, ranges. Pure; never talks to a server."""
