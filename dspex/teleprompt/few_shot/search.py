"""The search for demos, as the evaluation engine is steered by it."""

from __future__ import annotations

from dspex.evaluate.results.outcome import Outcome
from dspex.evaluate.scheduling.errors_allowed import counts_as_error
from dspex.evaluate.scheduling.steering import Course
from dspex.teleprompt.few_shot.demos import Tried
from dspex.teleprompt.few_shot.forecast import Forecast, Found


class Search:
    """A `Steering` that goes as far as a search one by one would go, and no farther."""

    def __init__(self, forecast: Forecast) -> None:
        self._forecast = forecast

    def hear(self, outcome: Outcome) -> None:
        """Take an outcome in."""
        self._forecast.hear(outcome.stamp.example, _found(outcome))

    @property
    def course(self) -> Course:
        """How to go on."""
        forecast = self._forecast
        return Course(
            needed=forecast.needed,
            until=forecast.until,
            at_once=forecast.at_once,
            done=forecast.done,
        )

    @property
    def stopped_by_errors(self) -> int | None:
        """The example at which errors ended the search, once it is done."""
        return self._forecast.stopped_by_errors


def _found(outcome: Outcome) -> Found:
    tried = Tried.of(outcome)
    return Found(
        accepted=tried is not None and tried.demos is not None,
        errors=int(counts_as_error(outcome)) if tried is None else tried.errors,
        fatal=outcome.is_fatal,
    )
