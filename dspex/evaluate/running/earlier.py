"""What a run goes on from that is given an earlier result instead of a name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

from dspex.client.call import AttemptRecord
from dspex.core.errors import ConfigurationError
from dspex.core.example import Example
from dspex.evaluate.results.outcome import Outcome
from dspex.evaluate.results.result import EvaluationResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """What was measured of the same examples before, and what that took."""

    outcomes: Sequence[Outcome] = ()
    """Its outcomes; the final ones are not made again."""
    requests: Mapping[str, AttemptRecord] = field(default_factory=dict)
    """Its requests, by the id the provider saw."""
    seconds: float = 0.0
    """Wall time it took."""
    restarts: int = 0
    """Parts of the tree that were restarted meanwhile."""
    refused: int = 0
    """Outcomes that were not counted."""

    @classmethod
    def of(cls, result: EvaluationResult | None, examples: Iterable[Example]) -> Self:
        """Return what an earlier result knows of these examples.

        Raises:
            ConfigurationError: It is a result of others, or none at all.
        """
        if result is None:
            return cls()
        if not isinstance(result, EvaluationResult):
            raise ConfigurationError(
                f"resume is {result!r}; expected the result of an earlier evaluation. "
                "To go on with a recorded run, give its name as run=."
            )
        is_stream = not isinstance(examples, Sequence)
        if is_stream or list(result.examples) != list(examples):
            raise ConfigurationError(
                "resume was given a result of other examples; expected one of this "
                "devset. Evaluate again without resume."
            )
        return cls(
            outcomes=[outcome for outcome in result.outcomes if outcome is not None],
            requests=result.requests,
            seconds=result.seconds,
            restarts=result.restarts,
            refused=result.refused,
        )

    def in_the_record(self) -> Self:
        """Return it without what the record of the run has and adds up itself."""
        return replace(self, requests={}, seconds=0.0, restarts=0)
