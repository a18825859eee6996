"""No order of deaths, failures and withdrawals makes the client forget anybody."""

from __future__ import annotations

import os

from supervisors.testing import Simulation, simulate
from tests.simulation.client_world import World

SEEDS = int(os.environ.get("DSPEX_SEEDS", "150"))
"""How many orders are tried; `DSPEX_SEEDS=10000` tries many more."""


def scenario(sim: Simulation) -> None:
    world = World(sim)
    sim.run(max_steps=200_000)
    world.check_end()


def test_every_caller_is_answered_whatever_dies_in_whatever_order() -> None:
    simulate(scenario, range(SEEDS))
