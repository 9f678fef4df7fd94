"""What every program of the project needs: settings, command line, terminal, exact JSON.

Nothing here knows SQL Server, Singer or calls.
"""
