"""`GEPA` gives the candidates and scores that DSPy gave for the same proposals.

DSPy's are kept in `tests/data/dspy_gepa.json`; `tests/tools/gepa_side.py` says how.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

import dspex
from tests.docs.pages import ROOT
from tests.tools import gepa_side, optimisers_side

pytest.importorskip("gepa")

KEPT = json.loads((ROOT / "tests/data/dspy_gepa.json").read_text("utf-8"))


@pytest.mark.parametrize(
    ("search", "kept"), list(zip(gepa_side.SEARCHES, KEPT, strict=True))
)
def test_a_search_finds_what_dspy_found(search: dict[str, Any], kept: Any) -> None:
    with dspex.Runtime(dspex.Config(persist=False)):
        found = gepa_side.found_by(dspex, optimisers_side, search)

    assert found == kept
    assert len(found["candidates"]) > 1
