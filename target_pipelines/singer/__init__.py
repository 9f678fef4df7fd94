"""Singer on stdin and stdout: lines, messages, streams, states."""
