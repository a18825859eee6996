"""Hold every optimiser against random search, on tasks with a planted optimum.

```
python -m tests.truth --seeds 20 [--optimiser NAME] [--json]
```

**What is compared.** For each seed a `ScriptedTask` is made, on which the accuracy of
any program is known exactly. The optimiser works on it, and its calls of models are
counted. Then a random search draws programs from the space that the optimiser searches,
scores each on the rows that the optimiser chooses by, as long as it has spent fewer
calls, and takes the best; it finishes the program it is at, so it spends as many calls
or a few more. Both winners are compared by their true accuracy on rows that neither
learnt from nor chose by: what luck they had in choosing counts for nothing.

**Why that is fair.** Both have the same rows, metric, model and number of calls. What
each random search draws from, and what the task rewards, is the `why` of its contest
(`--json` prints it): the same number of demos as the optimiser shows, from the same
rows; instructions from the same model. A task rewards what its optimiser is for, else
there would be nothing to find: three rows of four are mislabelled where demos are
bootstrapped, and a model takes up the words it is shown where instructions are
rewritten. The settings of a task were chosen on seeds below `FIRST_SEED`, and are the
same for all of those that are judged.

**What is judged.** The command ends with 1 unless each optimiser

- beats random search: the 95 % interval of the paired difference lies above 0;
- reaches the neighbourhood of the optimum: the 95 % interval of the share of the way
  from the student to the optimum, over the seeds, lies above `NEIGHBOURHOOD`;
- keeps within the calls its contest allows, for each seed.
"""

from __future__ import annotations

import json

import click

from tests.truth import answering, demos, instructions
from tests.truth.verdict import HEADER, line_of, verdict_on

CONTESTS = (*demos.CONTESTS, *instructions.CONTESTS, *answering.CONTESTS)
"""One for each optimiser."""
FIRST_SEED = 100
"""The first that is judged."""


@click.command()
@click.option("--seeds", default=20, show_default=True, help="Tasks of each kind.")
@click.option(
    "--optimiser",
    "chosen",
    type=click.Choice([each.optimiser for each in CONTESTS]),
    multiple=True,
    help="Only these.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def main(*, seeds: int, chosen: tuple[str, ...], as_json: bool) -> None:
    """Hold the contests, and print what they show."""
    if not as_json:
        click.echo(HEADER)
    verdicts = {}
    for contest in CONTESTS:
        if not chosen or contest.optimiser in chosen:
            verdict = verdict_on(contest, range(FIRST_SEED, FIRST_SEED + seeds))
            verdicts[contest.optimiser] = verdict
            if not as_json:
                # As they come: each takes about a minute.
                click.echo(line_of(verdict))
    if as_json:
        click.echo(json.dumps({k: v.plain() for k, v in verdicts.items()}, indent=2))
    raise SystemExit(any(each.missed for each in verdicts.values()))


if __name__ == "__main__":
    main()
