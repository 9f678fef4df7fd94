"""What all programs of the project share: settings, command line, terminal, signals, exact JSON.

Nothing here knows about SQL Server, Singer or calls.
"""
