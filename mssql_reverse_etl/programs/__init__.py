"""The tap and the target as processes: how they start, and what they say."""
