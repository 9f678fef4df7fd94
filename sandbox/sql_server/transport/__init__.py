"""Bytes between server and client: packets, sockets, TLS."""
