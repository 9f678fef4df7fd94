"""Delivers calls: batches, lanes, attempts, retries, rate limit."""
