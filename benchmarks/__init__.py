"""Measures the speed of both programs, as ratios to baselines that run in the same session."""
