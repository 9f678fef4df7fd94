"""The history of a project: its runs, the outcome of each sync, and why calls were rejected."""

KEEP_DAYS = 90
"""How long runs are kept unless `history.keep_days` says otherwise."""
