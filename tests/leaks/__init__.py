"""Runs cancelled at random moments, and a count of what is left of them."""
