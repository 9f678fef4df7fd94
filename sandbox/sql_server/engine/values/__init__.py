"""SQL Server values as typed DuckDB SQL: types, literals, conversions, operators."""
