"""A server that speaks TDS 7.4 and T-SQL well enough for Microsoft's and FreeTDS's drivers."""
