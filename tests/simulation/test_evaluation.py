"""No order of deaths, faults and messages changes what a run counts."""

from __future__ import annotations

import os

from supervisors.testing import Simulation, simulate
from tests.simulation.evaluation_world import World

SEEDS = int(os.environ.get("DSPEX_SEEDS", "300"))
"""How many orders are tried; `DSPEX_SEEDS=10000` tries many more."""


def scenario(sim: Simulation) -> None:
    World(sim).run()


def test_each_place_is_counted_once_whatever_dies_in_whatever_order() -> None:
    simulate(scenario, range(SEEDS))
