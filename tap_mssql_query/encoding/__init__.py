"""Encodes rows as Singer RECORD lines: column by column in native code, or row by row."""
