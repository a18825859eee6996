"""Kill what works on a search, and hold what it finds against an undisturbed one.

```
python -m tests.kills.optimisers --optimiser COPRO --kills 10 --json
```

It ends with 1 when a winner or a candidate is another, more was paid again than was in
hand at a kill, a billed request is in no record, or a budget was exceeded.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import click

from tests.kills import actors
from tests.kills.optimisers_faults import (
    Disturbed,
    in_chaos,
    struck,
    without_provider,
)
from tests.kills.optimisers_processes import killed_search, undisturbed
from tests.kills.optimisers_work import SEARCHES

BUDGET = 1.5
"""What a search may spend while it is killed, in times of what it needs."""


@click.command()
@click.option("--optimiser", type=click.Choice(list(SEARCHES)), help="Only this one.")
@click.option("--kills", default=8, show_default=True, help="Of the process.")
@click.option("--faults", default=24, show_default=True, help="At single actors.")
@click.option("--chaos", default=2, show_default=True, help="Seeds of chaos.")
@click.option("--down", default=3.0, show_default=True, help="Seconds of an outage.")
@click.option("--seed", default=0, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def main(
    *,
    optimiser: str | None,
    kills: int,
    faults: int,
    chaos: int,
    down: float,
    seed: int,
    as_json: bool,
) -> None:
    """Kill processes and actors of searches, and take the provider away."""
    told: dict[str, Any] = {}
    for name in [optimiser] if optimiser else SEARCHES:
        began = time.monotonic()
        found: dict[str, Any] = dict(_killed(name, kills, seed))
        done = list(_disturbed(name, faults=faults, chaos=chaos, down=down, seed=seed))
        found["faults"] = _summary(name, done)
        found["sound"] = all(part["sound"] for part in found.values())
        found["seconds"] = round(time.monotonic() - began, 1)
        told[name] = found
        if not as_json:
            click.echo(f"{name}: {json.dumps(found)}")
    if as_json:
        click.echo(json.dumps(told))
    raise SystemExit(not all(each["sound"] for each in told.values()))


def _killed(name: str, kills: int, seed: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what killing its process came to, without a budget and with one."""
    for title, share in (("process", None), ("budget", BUDGET)):
        killed = killed_search(name, kills=kills, seed=seed, share=share)
        yield title, {**asdict(killed), "sound": killed.is_sound}


def _disturbed(
    name: str, *, faults: int, chaos: int, down: float, seed: int
) -> Iterator[Disturbed]:
    for fault in actors.faults(seed, faults):
        yield struck(name, fault)
    for number in range(seed, seed + chaos):
        yield in_chaos(name, number)
    if down:
        yield without_provider(name, after=10, seconds=down)


def _summary(name: str, done: list[Disturbed]) -> dict[str, Any]:
    expected, _, _ = undisturbed(name)
    wrong = [each.by for each in done if not each.is_sound(expected)]
    fired = sum(each.struck for each in done)
    return {"tried": len(done), "fired": fired, "wrong": wrong, "sound": not wrong}


if __name__ == "__main__":
    main()
