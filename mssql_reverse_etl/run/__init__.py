"""Runs syncs on this machine: sources, locks, both programs, the end."""
