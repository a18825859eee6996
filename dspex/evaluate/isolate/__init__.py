"""Work in child processes: what hangs or crashes there costs its own example only.

`process_workers` is where to begin: it does the work of an evaluation in processes
that are started fresh. `parcel` is what they are told at their start, `child` what
they do. The two sides talk in JSON over a socket of their own (`channel`); calls to
models come back over it, so keys, cache, limits and records stay in one process.
"""
