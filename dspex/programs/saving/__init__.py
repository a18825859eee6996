"""Saved programs: their state, and whole programs, as JSON and nothing else."""
