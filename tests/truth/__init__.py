"""Whether optimisers find what was hidden for them to find; see `__main__`."""
