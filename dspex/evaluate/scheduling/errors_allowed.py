"""How many failures a run stands before it stops: by count, or by share."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

from dspex.core.errors import ConfigurationError
from dspex.evaluate.results.outcome import Outcome, OutcomeKind

LEAST_JUDGED: Final = 20
"""Examples that must be settled before a share of them is judged, so that one failure
of one does not end a run."""

_NO_ERRORS: Final = (OutcomeKind.SCORED, OutcomeKind.MODEL)


@dataclass(frozen=True, slots=True)
class ErrorLimit:
    """When there were too many failures.

    Example:
        >>> ErrorLimit(10).is_reached(errors=10, settled=500)
        True
        >>> ErrorLimit(0.1).is_reached(errors=10, settled=500)
        False
        >>> ErrorLimit(0.1).is_reached(errors=1, settled=1)
        False

    Raises:
        ConfigurationError: The figure is no limit.
    """

    figure: float
    """A whole number from 1 on stops at so many failures; a number between 0 and 1
    when so large a share of what is settled has failed, judged from 20 settled
    examples on; `math.inf` never."""

    def __post_init__(self) -> None:
        figure: Any = self.figure
        is_number = isinstance(figure, int | float) and not isinstance(figure, bool)
        if not is_number or not figure > 0 or not (self.is_share or _is_whole(figure)):
            raise ConfigurationError(
                f"max_errors is {figure!r}; it must be above zero: a whole number of "
                "failures, a share of the settled examples between 0 and 1 such as "
                "0.05, or math.inf for no limit. Leave it out for the default."
            )

    @property
    def is_share(self) -> bool:
        """Whether it is a share and not a count."""
        return 0 < self.figure < 1

    def is_reached(self, *, errors: int, settled: int) -> bool:
        """Say whether a run stops now.

        Args:
            errors: Failures so far, as `counts_as_error` counts them.
            settled: Examples that have an outcome, failures included.
        """
        if self.is_share:
            return settled >= LEAST_JUDGED and errors >= self.figure * settled
        return errors >= self.figure

    def __str__(self) -> str:
        return f"{100 * self.figure:g} %" if self.is_share else f"{self.figure:g}"


def counts_as_error(outcome: Outcome) -> bool:
    """Whether `max_errors` counts it.

    A model's answer that does not fit is a measurement of the model and not a mistake
    of the evaluation, so it does not count.
    """
    return outcome.kind not in _NO_ERRORS


def _is_whole(figure: float) -> bool:
    return figure == math.inf or float(figure).is_integer()
