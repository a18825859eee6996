"""The embedded language model: weights on disk and the program that serves them.

Nothing is imported here, so that each module loads only what it needs.
"""
