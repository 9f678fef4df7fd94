"""Requests of clients: batches, RPCs and the system procedures of drivers."""
