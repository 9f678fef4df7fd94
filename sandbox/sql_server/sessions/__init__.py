"""A client's session: it queues requests, runs them and writes responses."""
