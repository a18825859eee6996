"""What a study would do and cost, told before any of it is done."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self

from dspex.core.errors import ConfigurationError
from dspex.core.example import Example
from dspex.core.lm import Usage
from dspex.core.rich_text import as_rich
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
    cached: float = 0.0
    """How many of the calls need no request, as the cache has their answers."""

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
            cached=told.cached / len(some),
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
        least, most = self.least * self.each.calls, self.most * self.each.calls
        return math.floor(least), math.ceil(most)

    @property
    def tokens(self) -> int | None:
        """Tokens at most, sent and received; `None` when nobody knows."""
        usage = self.each.usage
        if not self.most:
            return 0
        if usage is None:
            return None
        return math.ceil(self.most * usage.total_tokens / self.each.rows)

    @property
    def dollars(self) -> float | None:
        """US dollars at most; `None` when a price is not known."""
        if not self.most:
            return 0.0
        if self.each.dollars is None:
            return None
        return self.most * self.each.dollars / self.each.rows

    @property
    def is_of_unknown_size(self) -> bool:
        """Whether nobody knows how many tokens it takes."""
        return self.tokens is None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class StudyPlan:
    """What a study would do, told without asking a model.

    Its calls are counted as if each were answered at the first attempt; tokens and
    dollars are an upper bound, with `max_tokens` for each answer, and without what is
    in the cache already. Printed, it is a short table.
    """

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
        """Tokens at most, sent and received; `None` when nobody knows those of all."""
        known = [step.tokens for step in self.steps]
        told = [tokens for tokens in known if tokens is not None]
        return sum(told) if len(told) == len(known) else None

    @property
    def dollars(self) -> float | None:
        """US dollars at most; `None` when a price is not known."""
        known = [step.dollars for step in self.steps]
        told = [dollars for dollars in known if dollars is not None]
        return sum(told) if len(told) == len(known) else None

    @property
    def share_cached(self) -> float:
        """The part of the calls that need no request, from 0 to 1, as rehearsed."""
        whole = sum(step.most * step.each.calls for step in self.steps)
        cached = sum(step.most * step.each.cached for step in self.steps)
        return cached / whole if whole else 0.0

    def seconds(self, per_call: float, *, concurrency: int) -> tuple[float, float]:
        """Return about how long it takes, at least and at most.

        Nobody knows beforehand how long a model takes; you may, from a run before.

        Args:
            per_call: Seconds of one call.
            concurrency: Calls at a time, such as the optimiser's `num_threads`.
        """
        sent = 1.0 - self.share_cached
        least, most = (calls * sent * per_call / concurrency for calls in self.calls)
        return least, most

    def __str__(self) -> str:
        lines = [self._headline()]
        width = max((len(step.what) for step in self.steps), default=0)
        lines += [
            f"  {step.what:<{width}}  {counted(step.least, step.most):>13}  "
            f"{counted(*step.calls):>13} calls"
            for step in self.steps
        ]
        if self.share_cached:
            lines.append(
                f"About {self.share_cached:.0%} of the calls need no request: their "
                "answers are in the cache."
            )
        return "\n".join([*lines, *self.notes])

    def __repr__(self) -> str:
        return f"<StudyPlan {self._headline()}>"

    def __rich__(self) -> Any:
        return as_rich(str(self))

    def _repr_html_(self) -> str:
        from dspex.teleprompt.studies.study_page import plan_html

        return plan_html(self)

    def _headline(self) -> str:
        least, most = self.calls
        if not most:
            return f"{self.optimiser}: it asks nothing"
        tokens = sum(step.tokens or 0 for step in self.steps)
        priced = [step.dollars for step in self.steps if step.dollars is not None]
        cost = f" and {money(sum(priced))}" if priced else ""
        bound = f"at most {tokens:,} tokens{cost}" if tokens else "tokens not known"
        told = [f"{counted(least, most)} calls", bound]
        unknown = [step.what for step in self.steps if step.is_of_unknown_size]
        if tokens and unknown:
            told.append(f"beside {', '.join(unknown)}")
        if any(step.dollars is None for step in self.steps if step.most):
            told.append("not every price is known" if priced else "no price known")
        return f"{self.optimiser}: {', '.join(told)}"


def counted(least: int, most: int) -> str:
    """Return a number of which the least and the most are known, for people."""
    return f"{least:,}" if least == most else f"{least:,} to {most:,}"
