"""The built-in destinations: HTTP profiles and the file."""
