"""The contract between the target and its plugins: call types, destinations, errors, settings."""
