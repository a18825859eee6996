"""Answers already paid for: keys, the memory tier and its single-flight table."""
