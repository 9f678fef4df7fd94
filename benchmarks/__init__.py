"""Speed of both programs, always as a ratio to a baseline in the same run."""
