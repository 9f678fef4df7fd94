"""The log format of every program."""

LOG_FORMAT = "{asctime:23s} | {levelname:8s} | {name:30s} | {message}"
"""For `logging.basicConfig(format=LOG_FORMAT, style="{")`."""
