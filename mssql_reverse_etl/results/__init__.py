"""What became of each sync, or would become of it, joined from both programs."""
