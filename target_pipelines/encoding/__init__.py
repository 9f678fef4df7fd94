"""Encodes records as calls: mapping, conversion, validation, message ids, ordering keys."""
