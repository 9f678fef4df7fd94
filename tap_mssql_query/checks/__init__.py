"""Inspection without a run: `--check` and `--preview`."""
