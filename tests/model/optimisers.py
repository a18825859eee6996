"""What each optimiser does to two small programs on the embedded model, in tables.

`python -m tests.model.optimisers` prints them; `--write` puts them into the docs.

Each begins with the same program, the same rows and a cold cache. Its winner is judged
on rows that it was never shown, beside the program that was given; a lift inside its
interval is said to be none. Where an optimiser wants proposals, the same small model
makes them.
"""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import click

import dspex
from dspex.demo.tasks import TASKS, demo_task
from dspex.teleprompt import (
    COPRO,
    GEPA,
    BootstrapFewShot,
    BootstrapFewShotWithRandomSearch,
    Ensemble,
    KNNFewShot,
    LabeledFewShot,
    MIPROv2,
)
from dspex.teleprompt.studies.lift import judged
from tests.tools.optimiser_table import PAGE, Line, table, write

MODEL = "local/gemma-3-270m"
LEARNED = 12
"""Rows to learn from."""
DEMOS = 3
"""Demos of each program."""
LONGEST_ANSWER = 80
"""Tokens of an answer at most; a model this small may not find the end by itself."""
HANDS = 2
"""Examples worked on at a time; the model has so many cores."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """What every optimiser is given."""

    signature: str
    """The signature of the program."""
    field: str
    """The field that is scored."""
    learning: Sequence[dspex.Example]
    """Rows to learn from."""
    choosing: Sequence[dspex.Example]
    """Rows to choose by."""
    judging: Sequence[dspex.Example]
    """Rows that no optimiser sees."""
    lm: dspex.LM
    """The model that answers, and proposes."""

    @property
    def program(self) -> dspex.Predict:
        """The program, as it is given."""
        return dspex.Predict(self.signature)

    @property
    def metric(self) -> Any:
        """What scores it."""
        return dspex.metrics.exact_match(self.field)


def labelled(given: Material) -> dspex.Module:
    """Examples as they are."""
    return LabeledFewShot(k=DEMOS).compile(given.program, trainset=given.learning)


def bootstrapped(given: Material) -> dspex.Module:
    """Demos that the program made itself."""
    how = BootstrapFewShot(
        given.metric,
        max_bootstrapped_demos=DEMOS,
        max_labeled_demos=DEMOS,
        num_threads=HANDS,
    )
    return how.compile(given.program, trainset=given.learning)


def searched(given: Material) -> dspex.Module:
    """The best of six sets of demos."""
    how = BootstrapFewShotWithRandomSearch(
        given.metric,
        max_bootstrapped_demos=DEMOS,
        max_labeled_demos=DEMOS,
        num_candidate_programs=3,
        num_threads=HANDS,
    )
    return how.compile(given.program, trainset=given.learning, valset=given.choosing)


def reworded(given: Material) -> dspex.Module:
    """The best of the wordings that the model proposed."""
    how = COPRO(
        prompt_model=given.lm,
        metric=given.metric,
        breadth=3,
        depth=2,
        num_threads=HANDS,
    )
    return how.compile(given.program, trainset=given.choosing)


def proposed(given: Material) -> dspex.Module:
    """Wordings and demos together."""
    how = MIPROv2(
        given.metric,
        prompt_model=given.lm,
        auto=None,
        num_candidates=3,
        max_bootstrapped_demos=DEMOS,
        max_labeled_demos=DEMOS,
        num_threads=HANDS,
    )
    return how.compile(
        given.program,
        trainset=given.learning,
        valset=given.choosing,
        num_trials=5,
        minibatch=False,
    )


def evolved(given: Material) -> dspex.Module:
    """Wordings that were reflected on."""

    def feedback(
        gold: Any,
        pred: Any,
        trace: Any = None,
        pred_name: Any = None,
        pred_trace: Any = None,
    ) -> dspex.Prediction:
        right = gold[given.field]
        score = given.metric(gold, pred)
        said = "Right." if score else f"Wrong: the right answer is {right}."
        return dspex.Prediction(score=float(score), feedback=said)

    how = GEPA(
        feedback,
        max_metric_calls=5 * len(given.choosing),
        reflection_lm=given.lm,
        num_threads=HANDS,
    )
    return how.compile(given.program, trainset=given.learning, valset=given.choosing)


def neighbouring(given: Material) -> dspex.Module:
    """Demos of the nearest examples, made for each question."""
    how = KNNFewShot(
        DEMOS,
        given.learning,
        dspex.Embedder(letter_pairs),
        metric=given.metric,
        max_bootstrapped_demos=DEMOS,
        max_labeled_demos=DEMOS,
        num_threads=HANDS,
    )
    return how.compile(given.program)


def together(given: Material) -> dspex.Module:
    """Three sets of labelled demos, of which the majority answers."""
    size = max(1, len(given.learning) // 3)
    programs = [
        LabeledFewShot(k=DEMOS).compile(
            given.program, trainset=given.learning[start : start + size]
        )
        for start in range(0, 3 * size, size)
    ]
    return Ensemble(reduce_fn=dspex.majority).compile(programs)


def letter_pairs(texts: Sequence[str]) -> list[list[float]]:
    """Return vectors of how often each pair of letters comes up."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    pairs = {f"{a}{b}": at for at, (a, b) in enumerate(_pairs(letters))}
    vectors = []
    for text in texts:
        vector = [0.0] * len(pairs)
        for one, other in zip(text.lower(), text.lower()[1:], strict=False):
            if (at := pairs.get(f"{one}{other}")) is not None:
                vector[at] += 1.0
        vectors.append(vector)
    return vectors


def _pairs(letters: str) -> Iterator[tuple[str, str]]:
    for one in letters:
        for other in letters:
            yield one, other


OPTIMISERS: dict[str, Callable[[Material], dspex.Module]] = {
    "LabeledFewShot": labelled,
    "BootstrapFewShot": bootstrapped,
    "BootstrapFewShotWithRandomSearch": searched,
    "COPRO": reworded,
    "MIPROv2": proposed,
    "GEPA": evolved,
    "KNNFewShot": neighbouring,
    "Ensemble": together,
}
"""Each optimiser with how it is used here."""


def material(task: str, rows: int, lm: dspex.LM) -> Material:
    """Return what every optimiser is given, of a task of the demo.

    Args:
        task: Its name.
        rows: Rows that winners are judged on; half as many are chosen by.
        lm: The model.
    """
    found = demo_task(task)
    chosen = max(rows // 2, 2)
    held_back = [*found.dev, *found.train[LEARNED + chosen :]]
    return Material(
        signature=found.signature,
        field=found.field,
        learning=found.train[:LEARNED],
        choosing=found.train[LEARNED : LEARNED + chosen],
        judging=held_back[:rows],
        lm=lm,
    )


def measured(
    given: Material, names: Sequence[str], tell: Callable[[str], None]
) -> Iterator[Line]:
    """Yield what each optimiser did, one after the other."""
    evaluate = dspex.Evaluate(
        devset=given.judging,
        metric=given.metric,
        concurrency=HANDS,
        display_progress=False,
    )
    before = evaluate(given.program)
    tell(f"as given: {before}")
    for name in names:
        began = time.monotonic()
        with dspex.Budget(name="search") as search:
            try:
                winner = OPTIMISERS[name](given)
            except dspex.DspexError as error:
                # What a small model cannot do is a finding, and the others go on.
                tell(f"{name}: {error}")
                yield Line(
                    optimiser=name,
                    calls=search.spent.calls,
                    seconds=time.monotonic() - began,
                    error=type(error).__name__,
                )
                continue
        seconds = time.monotonic() - began
        with dspex.Budget(name="answers") as answers:
            after = evaluate(winner)
        line = Line(
            optimiser=name,
            calls=search.spent.calls,
            seconds=seconds,
            given=before.score,
            winner=after.score,
            lift=judged(before.scores, after.scores, "rows held back"),
            calls_each=answers.spent.calls / len(given.judging),
        )
        tell(f"{name}: {line.lift}")
        yield line


@click.command()
@click.option("--rows", default=40, type=click.IntRange(4, 60), show_default=True)
@click.option(
    "--task", "tasks", multiple=True, type=click.Choice(TASKS), help="Only this one."
)
@click.option("--only", multiple=True, type=click.Choice(list(OPTIMISERS)))
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead.")
@click.option("--write", "is_kept", is_flag=True, help="Write it into the docs too.")
def main(
    rows: int,
    tasks: Sequence[str],
    only: Sequence[str],
    as_json: bool,
    is_kept: bool,
) -> None:
    """Measure what each optimiser does on the embedded model."""
    found: dict[str, list[Line]] = {}
    told: list[str] = []
    with dspex.Runtime():
        lm = dspex.LM(MODEL, cache=False, max_tokens=LONGEST_ANSWER)
        with dspex.context(lm=lm):
            for task in tasks or TASKS:
                given = material(task, rows, lm)
                lines = found[task] = list(
                    measured(given, only or list(OPTIMISERS), _tell)
                )
                told += ["", *described(given, task), "", *table(lines)]
    if as_json:
        plain = {task: [line.plain() for line in found[task]] for task in found}
        click.echo(json.dumps(plain, indent=2))
    else:
        click.echo("\n".join(told[1:]))
    if is_kept:
        write(told[1:])
        click.echo(f"wrote {PAGE}", err=True)


def described(given: Material, task: str) -> Iterator[str]:
    """Yield what the table is of, in sentences."""
    signature = given.signature.partition(":")[0]
    yield (
        f"The model is `{MODEL}`, the program `dspex.Predict` of `{signature}` (the "
        f"demo's `{task}`): {len(given.learning)} rows to learn from, "
        f"{len(given.choosing)} to choose by, and {len(given.judging)} others to judge "
        "on."
    )
    yield (
        f"It ran on {os.cpu_count()} cores beside other work, {HANDS} examples at a "
        f"time, without a cache, under Python {platform.python_version()}."
    )


def _tell(line: str) -> None:
    click.echo(line, err=True)


if __name__ == "__main__":
    main()
