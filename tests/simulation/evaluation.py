"""Thousands of simulated runs: `python -m tests.simulation.evaluation --seeds 5000`."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass, field

import click

from supervisors.testing import Simulation
from tests.simulation.evaluation_world import World


def scenario(sim: Simulation) -> World:
    """One run through its weather; what must hold is asserted in it."""
    world = World(sim)
    world.run()
    return world


@dataclass(slots=True)
class Report:
    """What many runs came to."""

    seeds: int = 0
    counted: int = 0
    """Examples and trials that have their one outcome."""
    processes: int = 0
    """Processes that worked on the runs, one after the other."""
    disturbances: Counter[str] = field(default_factory=Counter)
    """What was done to them, by kind."""
    refused: int = 0
    """Outcomes that came late or twice, and were not counted."""
    failed: dict[int, str] = field(default_factory=dict)
    """Seeds whose run broke a promise, and which."""

    def add(self, world: World) -> None:
        """Add a run that kept its promises."""
        self.counted += world.weather.examples * world.weather.trials
        self.processes += world.processes
        self.disturbances += world.disturbances
        self.refused += world.refused

    def __str__(self) -> str:
        done = ", ".join(f"{n:,} {what}" for what, n in self.disturbances.items())
        lines = [
            f"{self.seeds:,} runs in {self.processes:,} processes",
            f"{self.counted:,} outcomes counted once, {self.refused:,} refused",
            f"disturbed by {done}",
        ]
        lines += [f"seed {seed}: {text}" for seed, text in self.failed.items()]
        return "\n".join(lines)


@click.command()
@click.option("--seeds", default=5_000, show_default=True, help="How many runs.")
@click.option("--first", default=0, show_default=True, help="The first seed.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def main(*, seeds: int, first: int, as_json: bool) -> None:
    """Simulate runs that are disturbed in every way, each from its seed."""
    report = Report(seeds=seeds)
    for seed in range(first, first + seeds):
        try:
            report.add(scenario(Simulation(seed)))
        except AssertionError as error:
            report.failed[seed] = str(error)
    click.echo(json.dumps(asdict(report)) if as_json else str(report))
    raise SystemExit(bool(report.failed))


if __name__ == "__main__":
    main()
