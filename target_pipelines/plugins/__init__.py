"""Plugins: found by entry points, registered by name, listed."""
