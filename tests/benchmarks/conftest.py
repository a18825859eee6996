"""What pytest is not to import here."""

from __future__ import annotations

# It is loaded by a Python that has inspect_ai, which is none of our dependencies.
collect_ignore = ["compared_inspect_side.py"]
