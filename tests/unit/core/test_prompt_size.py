"""Our prompts are no longer than DSPy's for the same signatures.

DSPy's sizes are data, measured by `python -m tests.tools.dspy_prompts`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import dspex
from dspex.core.adapters import adapter_named
from dspex.core.adapters.choice import ADAPTERS
from tests.tools.dspy_prompts import sizes
from tests.tools.typical_signatures import typical_signatures

DATA: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "data" / "dspy_prompt_sizes.json").read_text("utf-8")
)


@pytest.mark.parametrize("adapter", [name for name in DATA if name in ADAPTERS])
@pytest.mark.parametrize("name", typical_signatures(dspex))
def test_a_prompt_is_no_longer_than_dspys(adapter: str, name: str) -> None:
    ours = sizes(dspex, adapter_named(adapter))[name]

    theirs = DATA[adapter][name]
    assert ours["characters"] <= theirs["characters"]
    assert ours["pieces"] <= theirs["pieces"]
