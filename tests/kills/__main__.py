"""Kill what evaluates, and hold what it counts against an undisturbed run.

```
python -m tests.kills --kills 25 --examples 3000 --json
```

It ends with 1 when a row was lost or counted twice, a digest is another, or a billed
request is not in the run's record with its fate.
"""

from __future__ import annotations

import json
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from tests.kills import actors
from tests.kills.outage import outage
from tests.kills.processes import killed_run


@click.command()
@click.option("--kills", default=25, show_default=True, help="Of the process.")
@click.option("--examples", default=3_000, show_default=True, help="It works on.")
@click.option("--faults", default=96, show_default=True, help="At single actors.")
@click.option("--down", default=5.0, show_default=True, help="Seconds of an outage.")
@click.option("--during", default=10_000, show_default=True, help="Examples then.")
@click.option("--seed", default=0, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def main(
    *,
    kills: int,
    examples: int,
    faults: int,
    down: float,
    during: int,
    seed: int,
    as_json: bool,
) -> None:
    """Kill processes and actors, and take the provider away."""
    began = time.monotonic()
    told: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as home:
        killed = killed_run(Path(home), examples=examples, kills=kills, seed=seed)
    told["process"] = asdict(killed)
    survived = outage(during, down)
    told["outage"] = asdict(survived)
    expected = actors.undisturbed(30)
    struck = [actors.struck(each, examples=30) for each in actors.faults(seed, faults)]
    wrong = actors.unsound(struck, expected)
    told["actors"] = {
        "faults": len(struck),
        "fired": sum(each.fired for each in struck),
        "wrong": [str(each.fault) for each in wrong],
    }
    told["seconds"] = round(time.monotonic() - began, 1)
    sound = killed.is_sound and survived.is_sound and not wrong
    told["sound"] = sound
    lines = [f"{name}: {value}" for name, value in told.items()]
    click.echo(json.dumps(told) if as_json else "\n".join(lines))
    raise SystemExit(not sound)


if __name__ == "__main__":
    main()
