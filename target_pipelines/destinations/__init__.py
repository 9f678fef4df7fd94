"""The built-in destinations: HTTP profiles and `file`."""
