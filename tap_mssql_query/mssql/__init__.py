"""Sessions with SQL Server: connections, drivers, rows as Arrow record batches, errors, locks."""
