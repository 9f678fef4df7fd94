"""Settles records: dead letters, counts, and which STATE is safe to print."""
