"""A server that speaks enough TDS 7.4 and T-SQL for Microsoft's and FreeTDS's drivers."""
