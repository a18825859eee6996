"""The work on one example: program and metric, on a thread or on an event loop.

`floor` has who works on what, and `tray` what is done and not yet accepted.
"""
