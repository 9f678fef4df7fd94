"""What plugins and built-ins alike stand on: call types, destinations, errors, settings."""
