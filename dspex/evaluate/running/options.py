"""How a set of examples is worked through: the options of a run, checked once."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dspex.core import defaults
from dspex.core.errors import ConfigurationError
from dspex.evaluate.record.head import Fingerprints
from dspex.evaluate.scheduling.errors_allowed import ErrorLimit
from dspex.evaluate.scheduling.retrying import RetryAnswers, rules_for


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How a set of examples is worked through.

    Raises:
        ConfigurationError: A number is not above zero.
    """

    concurrency: int = defaults.CONCURRENCY
    """Examples worked on at a time."""
    timeout: float | None = None
    """Seconds one example may take; `None` for no limit."""
    max_errors: float = defaults.MAX_ERRORS
    """Failures after which to stop: a count, a share such as 0.05 of what is settled,
    or `math.inf` for no limit."""
    retry_answers: RetryAnswers | None = None
    """Further attempts after a failure that followed an answer; see `RetryAnswers`."""
    max_outage: float | None = None
    """Seconds for which what all examples need may be away before the run ends; `None`
    for the runtime's own `max_outage`."""
    failure_score: float = defaults.FAILURE_SCORE
    """What an example without a score adds to the mean."""
    metric_range: tuple[float, float] = defaults.METRIC_RANGE
    """The lowest and the highest score of the metric."""
    display_progress: bool | None = None
    """`None` shows a bar on a terminal, `True` also elsewhere, `False` never."""
    label: str = "evaluate"
    """What the progress bar says is being done."""
    trials: int = 1
    """How often each example is measured."""
    metric_timeout: float | None = None
    """Seconds of an example's time its metric may take; `None` for no limit."""
    total_timeout: float | None = None
    """Seconds the whole run may take; `None` for no limit."""
    run: str | None = None
    """The run's name, to go on with it later; `None` draws one."""
    persist: bool | None = False
    """Whether a record is kept on disk; `None` is what the runtime's `Config` says. A
    run that has a name is recorded in any case."""
    metrics: tuple[str, ...] = ()
    """The metrics' names, the one that is the score first; for the record."""
    notes: Mapping[str, Any] = field(default_factory=dict)
    """What its caller wants to be remembered, in JSON values; for the record."""
    part_of: str | None = None
    """The study whose part it is; for the record."""
    fingerprints: Callable[[], Fingerprints] = Fingerprints
    """Takes digests of what the run measures; for the record."""

    def __post_init__(self) -> None:
        ErrorLimit(self.max_errors)
        rules_for(self.retry_answers)
        for name in ("concurrency", "trials"):
            value = getattr(self, name)
            if type(value) is not int or value < 1:
                raise ConfigurationError(
                    f"{name} is {value!r}; it must be a whole number above zero. "
                    "Leave it out for the default."
                )
        for name in ("timeout", "metric_timeout", "total_timeout", "max_outage"):
            value = getattr(self, name)
            if value is not None and not (_is_number(value) and value > 0):
                raise ConfigurationError(
                    f"{name} is {value!r}; it must be a number of seconds above zero. "
                    "Leave it out for the default."
                )
        failure_score = self.failure_score
        if not (_is_number(failure_score) and math.isfinite(failure_score)):
            raise ConfigurationError(
                f"failure_score is {failure_score!r}; it must be a finite number, as "
                "it is added for each example without a score. Leave it out for 0.0."
            )
        if not (self.run is None or isinstance(self.run, str)):
            raise ConfigurationError(
                f"run is {self.run!r}; it must be a name as text. Write run='first'."
            )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
