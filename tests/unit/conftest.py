"""What holds for all tests of this folder."""

from __future__ import annotations

from tests.left_set import _layers_joined, _nothing_left_set

__all__ = ["_layers_joined", "_nothing_left_set"]
