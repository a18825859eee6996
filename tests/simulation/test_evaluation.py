"""No order of deaths, faults and messages changes what a run counts."""

from __future__ import annotations

import os

from supervisors.testing import simulate
from tests.simulation.evaluation import scenario

SEEDS = int(os.environ.get("DSPEX_SEEDS", "60"))
"""How many orders are tried; `python -m tests.simulation.evaluation` tries more."""


def test_each_place_is_counted_once_whatever_dies_in_whatever_order() -> None:
    simulate(scenario, range(SEEDS))
