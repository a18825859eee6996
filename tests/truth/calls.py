"""Counts the calls of language models."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from dspex import BaseCallback


class Calls(BaseCallback):
    """Counts every call of a model, in whatever thread it is made."""

    def __init__(self) -> None:
        self.made = 0
        """How many there were."""
        # Protects the count.
        self._lock = threading.Lock()

    def on_lm_start(
        self, call_id: str, instance: Any, inputs: Mapping[str, Any]
    ) -> None:
        """Count it."""
        with self._lock:
            self.made += 1
