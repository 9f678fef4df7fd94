"""Plugins: loaded from entry points, registered by name, listed."""
