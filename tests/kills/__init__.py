"""Evaluations whose process and actors are killed; `python -m tests.kills`."""
