"""Who works on what next, what is tried again, when a run stops: without an actor.

`schedule` decides; the coordinator of `running` does what it says.
"""
