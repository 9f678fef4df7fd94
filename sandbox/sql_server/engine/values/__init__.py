"""SQL Server values as typed DuckDB SQL: types, literals, casts, arithmetic, comparison."""
