"""The handlers of statements, by kind."""
