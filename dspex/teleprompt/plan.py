"""What a study would do and cost, told before any of it is done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self

from dspex.core.errors import ConfigurationError
from dspex.core.example import Example
from dspex.core.lm import Usage
from dspex.core.spoken import money
from dspex.evaluate.metric import Metric, judge
from dspex.programs.program import Program
from dspex.runtime.dry_run import dry_run

REHEARSED: Final = 3
"""Rows a program is rehearsed on, to learn what one run of it asks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PerRun:
    """What one run of a program asks, as far as that is known beforehand."""

    calls: float = 0.0
    """Calls of models, the cache apart."""
    usage: Usage | None = None
    """Tokens at most, for all `rows`; `None` when nobody knows."""
    dollars: float | None = None
    """US dollars at most, for all `rows`; `None` when a price is not known."""
    rows: int = 1
    """For how many runs tokens and dollars are told."""

    @classmethod
    def rehearsed(
        cls, program: Program, rows: Sequence[Example], metric: Metric | None = None
    ) -> Self:
        """Rehearse a program on the first rows, without asking a model.

        A model that cannot be rehearsed (one of your own that is no `dspex.LM`) is not:
        each predictor counts as one call then.

        Args:
            program: The program, with the demos that it will have at most.
            rows: Where the rows are taken from.
            metric: What scores it, which may ask models as well.
        """
        some = list(rows[:REHEARSED])
        judging: Callable[..., Any] | None = None
        if metric is not None:
            known = metric

            def judging(example: Example, prediction: Any) -> Any:
                return judge(known, example, prediction)

        try:
            told = dry_run(program, some, metric=judging)
        except ConfigurationError:
            told = None
        if told is None or not told.calls:
            return cls(calls=float(len(program.predictors())))
        return cls(
            calls=told.calls / len(some),
            usage=told.usage,
            dollars=None if told.unpriced else told.dollars,
            rows=len(some),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanStep:
    """One kind of work in a plan."""

    what: str
    """What is done, in a few words."""
    least: int
    """How often at least."""
    most: int
    """How often at most."""
    each: PerRun
    """What it asks each time."""

    @property
    def calls(self) -> tuple[int, int]:
        """Calls at least and at most, retries and the cache apart."""
        return round(self.least * self.each.calls), round(self.most * self.each.calls)


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyPlan:
    """What a study would do. Printed, it is a short table."""

    optimiser: str
    """The name of the optimiser."""
    steps: tuple[PlanStep, ...] = field(default=())
    """What it does, in order."""
    notes: tuple[str, ...] = ()
    """What else there is to know, each in a sentence."""

    @property
    def calls(self) -> tuple[int, int]:
        """Calls at least and at most; answers of the cache are among them."""
        return (
            sum(step.calls[0] for step in self.steps),
            sum(step.calls[1] for step in self.steps),
        )

    @property
    def tokens(self) -> int | None:
        """Tokens at most, sent and received; `None` when nobody knows."""
        return _most(self.steps, lambda each: _total(each.usage))

    @property
    def dollars(self) -> float | None:
        """US dollars at most; `None` when a price is not known."""
        total = 0.0
        for step in self.steps:
            if step.each.dollars is None:
                return None
            total += step.most * step.each.dollars / step.each.rows
        return total

    def __str__(self) -> str:
        least, most = self.calls
        lines = [f"{self.optimiser}: {_range(least, most)} calls, {self._cost()}"]
        width = max((len(step.what) for step in self.steps), default=0)
        lines += [
            f"  {step.what:<{width}}  {_range(step.least, step.most):>13}  "
            f"{_range(*step.calls):>13} calls"
            for step in self.steps
        ]
        return "\n".join([*lines, *self.notes])

    def _cost(self) -> str:
        tokens, dollars = self.tokens, self.dollars
        told = "tokens not known" if tokens is None else f"at most {tokens:,} tokens"
        cost = "no price known" if dollars is None else f"at most {money(dollars)}"
        return f"{told}, {cost}"


def _total(usage: Usage | None) -> int | None:
    return None if usage is None else usage.total_tokens


def _most(
    steps: Sequence[PlanStep], figure: Callable[[PerRun], int | None]
) -> int | None:
    total = 0
    for step in steps:
        found = figure(step.each)
        if found is None:
            return None
        total += -(-step.most * found // step.each.rows)
    return total


def _range(least: int, most: int) -> str:
    return f"{least:,}" if least == most else f"{least:,} to {most:,}"
