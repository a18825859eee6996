"""One run under the tree: its branch of actors, its record, and looks from outside.

`run` is what its caller has; `coordinator` and `aggregator` are its actors.
"""
