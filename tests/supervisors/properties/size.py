"""How much the property tests try: little by default, more when asked.

`SUPERVISORS_PROPERTIES=50 python -m pytest tests/supervisors/properties` tries fifty
times as much.
"""

from __future__ import annotations

import os

FACTOR = int(os.environ.get("SUPERVISORS_PROPERTIES", "1"))


def times(usual: int) -> int:
    """How often to try what is usually tried so often."""
    return usual * FACTOR
