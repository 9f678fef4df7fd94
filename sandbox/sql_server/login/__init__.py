"""The start of a connection: PRELOGIN, TLS, LOGIN7."""
