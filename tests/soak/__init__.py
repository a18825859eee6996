"""A daemon at work for long: what it has at the end is what it had after a while."""
