"""What a study is ordered to do: checked first, and known by its digests."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from dspex.client.budget import Budget
from dspex.core import defaults
from dspex.core.errors import ConfigurationError
from dspex.core.example import Example
from dspex.evaluate.devset import checked_set
from dspex.evaluate.metric import Metric, MetricRange
from dspex.evaluate.record.fingerprint import (
    fingerprints,
    program_fingerprint,
    rows_digest,
    value_digest,
)
from dspex.evaluate.record.head import Fingerprints
from dspex.evaluate.scheduling.errors_allowed import ErrorLimit
from dspex.programs.program import Program
from dspex.programs.settings import settings

ANY_SCORE: Final[MetricRange] = (-math.inf, math.inf)
"""An optimiser compares scores, whatever they are."""

_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,59}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be optimised, with what, and how.

    Raises:
        ConfigurationError: The name cannot be that of a study, or a number makes no
            sense.
    """

    optimiser: str
    """The name of the optimiser."""
    student: Program
    """The program to improve; it is left as it is."""
    metric: Metric | None
    """What scores a program."""
    trainset: Sequence[Example]
    """The examples to learn from."""
    valset: Sequence[Example] | None = None
    """The examples to choose by, or to judge the winner on; see the optimiser."""
    testset: Sequence[Example] | None = None
    """Examples on which only the winner is judged."""
    teacher: Program | None = None
    """Who shows how it is done; it is left as it is."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """The optimiser's own settings by name: what else decides what it finds."""
    run: str | None = None
    """The study's name, to go on with it later; `None` draws one."""
    persist: bool | None = None
    """Whether a study without a name is recorded; `None` is what the runtime says."""
    budget: Budget | None = None
    """What it may spend; `None` for no cap."""
    concurrency: int = defaults.CONCURRENCY
    """Examples worked on at a time, in all of its runs together."""
    max_errors: float = defaults.MAX_ERRORS
    """Failures after which an evaluation, and with it the study, stops."""
    display_progress: bool | None = None
    """`None` shows a line on a terminal, `True` also elsewhere, `False` never."""

    def __post_init__(self) -> None:
        if self.run is not None and not _NAME.fullmatch(self.run):
            raise ConfigurationError(
                f"{self.run[:80]!r} is no name of a study; expected letters, digits, "
                "'_', '-' and '.', at most 60, and no '-' or '.' first. Name it "
                "otherwise."
            )
        if type(self.concurrency) is not int or self.concurrency < 1:
            raise ConfigurationError(
                f"num_threads is {self.concurrency!r}; it must be a whole number above "
                "zero. Leave it out for the default."
            )

    def fingerprints(self) -> Fingerprints:
        """Return digests of all that decides what the study finds."""
        metric = {} if self.metric is None else self.metric
        made = fingerprints(
            self.student, metric, lm=settings.lm, adapter=settings.adapter
        )
        parts = dict(made.program)
        if self.teacher is not None:
            teacher = program_fingerprint(self.teacher)
            parts.update((f"{name} of the teacher", it) for name, it in teacher.items())
        for name in ("trainset", "valset", "testset"):
            rows = getattr(self, name)
            if rows is not None:
                parts[f"the {name}"] = rows_digest(rows)
        parts["the optimiser"] = self.optimiser
        for name, value in self.parameters.items():
            parts[f"the optimiser's {name}"] = value_digest(value)
        return Fingerprints(
            program=parts, metric=made.metric, models=made.models, python=made.python
        )


def checked_rows(rows: object, name: str) -> Sequence[Example] | None:
    """Return a set of examples, or none.

    Raises:
        ConfigurationError: It is empty, or no set.
    """
    return None if rows is None else checked_set(rows, name)


def allowed_errors(told: float | None) -> float:
    """Return after how many errors a run stops: as told, else the setting, else 10.

    Raises:
        ConfigurationError: It is no such number; see `Evaluate`.
    """
    limit = settings.max_errors if told is None else told
    return ErrorLimit(defaults.MAX_ERRORS if limit is None else limit).figure


def checked_budget(budget: object) -> Budget | None:
    """Return a budget, or none.

    Raises:
        ConfigurationError: It is something else.
    """
    if budget is None or isinstance(budget, Budget):
        return budget
    raise ConfigurationError(
        f"budget is {budget!r}; expected a dspex.Budget, such as "
        "dspex.Budget(calls=1_000) or dspex.Budget(dollars=2.0)."
    )
