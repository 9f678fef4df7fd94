"""Translates the statements that write: INSERT, UPDATE, DELETE and CREATE TABLE."""
