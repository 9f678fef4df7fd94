"""Singer messages: lines from stdin, streams, states on stdout."""
