"""Delivery of calls: batches, lanes, attempts, retries, rate."""
