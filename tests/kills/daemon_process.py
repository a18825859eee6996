"""The command `dspex` with a local model that stands in, and faults at its actors.

The faults are drawn from the variable FAULTS, such as `seed=1 count=20`. At its end it
says on its log what has happened, as one JSON object.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dspex.cli.main import main as dspex
from dspex.client.local import models
from dspex.client.local.models import LocalModel
from dspex.client.local.settings import ServerSettings
from supervisors.testing import Fault, FaultKind, FaultPlan

ACTORS = ("client", "wire", "memory", "store")
"""Whom requests need, by their ids in the tree."""
KINDS = (FaultKind.CRASH_BEFORE, FaultKind.CRASH_AFTER, FaultKind.KILL)
"""Before and after a handler; and from outside."""
WITHIN = 40
"""Messages between two faults of one actor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StandInSettings(ServerSettings):
    """How the stand-in is started."""

    latency: float

    def command(self) -> tuple[str, ...]:
        place = str(self.model.with_suffix(".pid"))
        return (
            *(sys.executable, "-m", "tests.kills.model_server"),
            *(place, str(self.latency)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StandIn(LocalModel):
    """A model whose server answers as the fake provider does."""

    latency: float

    def prepare(self, home: Path) -> ServerSettings:
        return StandInSettings(
            model=self.path(home),
            alias=self.alias,
            slots=self.slots,
            latency=self.latency,
        )


def faults(seed: int, count: int) -> Iterator[Fault]:
    """Each actor and kind in turn, at messages drawn from the seed."""
    draw = random.Random(seed)
    pairs = list(itertools.product(ACTORS, KINDS))
    draw.shuffle(pairs)
    for number, (actor, kind) in enumerate(
        itertools.islice(itertools.cycle(pairs), count)
    ):
        # The later ones wait for more messages, so that not all strike at once.
        most = WITHIN * (1 + number // len(pairs))
        yield Fault(kind=kind, actor=actor, nth=draw.randint(1, most))


def main() -> None:
    """Run the command line."""
    source = Path(os.environ["STAND_IN"])
    if os.environ["LOCAL_MODEL"] == "local/stand-in":
        models.require_server = lambda: None
    models.KNOWN["stand-in"] = StandIn(
        alias="stand-in",
        source=source,
        template="model",
        adapter="chat",
        slots=64,
        latency=float(os.environ["LATENCY"]),
    )
    wanted = dict(one.split("=") for one in os.environ.get("FAULTS", "").split())
    plan = FaultPlan(faults(int(wanted.get("seed", 0)), int(wanted.get("count", 0))))
    try:
        with plan.installed():
            dspex()
    finally:
        told = {"fired": [str(one.fault) for one in plan.fired]}
        print(json.dumps(told), file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
