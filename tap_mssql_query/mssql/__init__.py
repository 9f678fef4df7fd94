"""Sessions with SQL Server: connections, drivers, blocks of rows as Arrow, errors, locks."""
