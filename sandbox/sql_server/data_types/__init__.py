"""SQL Server's types on the wire: TYPE_INFO, values and NULL, in both directions."""
