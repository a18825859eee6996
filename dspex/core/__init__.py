"""Values and pure functions: examples, signatures, adapters, metrics, the LM protocol.

Nothing in this layer starts a thread, opens a socket or knows the supervision tree.
"""
