"""A candidate: one program a search has tried, where it came from, and how it did."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from dspex.evaluate.results.result import EvaluationResult
from dspex.programs.program import Program


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A program that was tried.

    Scores are in points, rounded to hundredths as DSPy's are, so that both choose the
    same one.
    """

    number: int
    """Its place in the search, from 0; the same each time the search is made."""
    label: str
    """What it is called, in a few words."""
    origin: str
    """How it was made, in a sentence."""
    parents: tuple[int, ...] = ()
    """The candidates it was made from."""
    score: float | None = None
    """Its score on all rows it was to be chosen by; `None` when it was not measured on
    all of them."""
    scores: tuple[float, ...] = ()
    """The score of each of those rows, as a share; empty when there are none."""
    complete: bool = True
    """Whether each row gave a score; a failed one counts as the `failure_score`."""
    seen: float | None = None
    """Its score on the part of the rows it was tried on, where that is all there is."""
    run: str | None = None
    """The run of its evaluation; `None` when none is recorded."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What its optimiser notes of it, in JSON values, such as a seed."""
    state: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """What `dump_state()` of the program returned."""
    program: Any = field(default=None, repr=False, compare=False)
    """The program; `None` in what was read from a record."""

    @classmethod
    def measured(
        cls,
        program: Program,
        result: EvaluationResult,
        *,
        number: int,
        label: str,
        origin: str,
        parents: Iterable[int] = (),
        facts: Mapping[str, Any] | None = None,
    ) -> Self:
        """Make one of a program and its evaluation on all rows."""
        return cls(
            number=number,
            label=label,
            origin=origin,
            parents=tuple(parents),
            score=round(result.score, 2),
            scores=tuple(result.scores),
            complete=result.complete,
            run=result.run,
            facts=dict(facts or {}),
            state=program.dump_state(),
            program=program,
        )

    def plain(self) -> dict[str, Any]:
        """Return it as JSON values; the program is its state."""
        return {
            "number": self.number,
            "label": self.label,
            "origin": self.origin,
            "parents": list(self.parents),
            "score": self.score,
            "scores": list(self.scores),
            "complete": self.complete,
            "seen": self.seen,
            "run": self.run,
            "facts": dict(self.facts),
            "state": dict(self.state),
        }

    @classmethod
    def of_plain(cls, told: Mapping[str, Any]) -> Self:
        """Return the candidate of such values, without its program."""
        return cls(
            **{
                **told,
                "parents": tuple(told["parents"]),
                "scores": tuple(told["scores"]),
            }
        )


def best_of(candidates: Iterable[Candidate]) -> Candidate | None:
    """Return the one with the highest score, of equal ones the first by number.

    Example:
        >>> tried = [
        ...     Candidate(number=1, label="b", origin="", score=50.0),
        ...     Candidate(number=0, label="a", origin="", score=50.0),
        ...     Candidate(number=2, label="c", origin=""),
        ... ]
        >>> best_of(tried).label
        'a'
    """
    full = [(each.score, -each.number, each) for each in candidates if _has_score(each)]
    return max(full, key=lambda found: found[:2])[2] if full else None


def _has_score(candidate: Candidate) -> bool:
    return candidate.score is not None
