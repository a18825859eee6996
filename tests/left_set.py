"""Fixtures for tests that may set something for the whole process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import dspex
from dspex.core import callbacks, spawner
from dspex.core.types.tool import Tool
from dspex.programs import ambient
from dspex.programs.saving import state


@pytest.fixture(autouse=True, scope="session")
def _layers_joined() -> None:
    """The layers are joined when a program is first looked up, and stay so."""
    dspex._join_layers()


@pytest.fixture(autouse=True)
def _nothing_left_set(_layers_joined: None) -> Iterator[None]:
    """What a test sets for the whole process it also takes back."""
    before = _set_for_all()

    yield

    after = _set_for_all()
    left = [name for name, value in before.items() if after[name] != value]
    assert not left, f"the test left changed: {', '.join(left)}; put it back"


def _set_for_all() -> dict[str, Any]:
    return {
        "the settings (configure)": ambient(),
        "who makes saved models (use_lm_factory)": state._lm_factory,
        "who runs work side by side (use_spawner)": spawner._make,
        "the global callbacks (use_global_callbacks)": callbacks._everywhere,
        "what surrounds a tool's calls (use_tool_runner)": Tool.runner,
    }
