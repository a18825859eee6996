"""Hold every optimiser against random search, on tasks with a planted optimum.

```
python -m tests.truth --seeds 20 [--optimiser NAME] [--json]
```
"""

from __future__ import annotations

import json

import click

from tests.truth.contests import CONTESTS
from tests.truth.verdict import HEADER, line_of, verdict_on

NAMES = [each.optimiser for each in CONTESTS]


@click.command()
@click.option("--seeds", default=20, show_default=True, help="Tasks of each kind.")
@click.option(
    "--optimiser", "chosen", type=click.Choice(NAMES), multiple=True, help="Only these."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def main(*, seeds: int, chosen: tuple[str, ...], as_json: bool) -> None:
    """Hold the contests, and print what they show."""
    verdicts = []
    if not as_json:
        click.echo(HEADER)
    for contest in CONTESTS:
        if chosen and contest.optimiser not in chosen:
            continue
        verdicts.append(verdict_on(contest, range(seeds)))
        if not as_json:
            click.echo(line_of(verdicts[-1]))
    if as_json:
        click.echo(json.dumps([each.plain() for each in verdicts], indent=2))
    raise SystemExit(any(each.missed for each in verdicts))


if __name__ == "__main__":
    main()
