"""What a client asks for: batches, RPCs and the system procedures of drivers."""
