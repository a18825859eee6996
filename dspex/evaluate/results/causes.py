"""Why examples failed, or were not measured: one line for each cause. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from dspex.core.errors import (
    CircuitOpenError,
    LMConnectionError,
    LMProviderError,
    LMUnexpectedError,
)
from dspex.evaluate.results.outcome import ErrorNote, Outcome, OutcomeKind

LONGEST_LINE: Final = 200
"""Characters of an error's text in a line."""

NOT_BEGUN: Final = "not begun"
"""What is said of examples that nobody began."""
NOT_FINISHED: Final = "not finished"
"""What is said of those that somebody began, and works on or was killed at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One cause of failure, and how much it did."""

    kind: OutcomeKind
    """Whose failure it is."""
    error: str
    """The class of the error, or the kind where there was none."""
    count: int
    """How many outcomes it made."""
    first: int
    """The first example it happened to."""
    text: str
    """The first line of that example's error, at most 200 characters."""
    column: str | None = None
    """The column it left empty; `None` when it failed the whole row."""
    from_provider: bool = False
    """Whether the provider, or the way to it, is to blame."""

    @property
    def word(self) -> str:
        """In one word: `timeout`, `provider`, `cancelled`, `program`, ..."""
        if self.kind is OutcomeKind.INFRASTRUCTURE and self.from_provider:
            return "provider"
        return self.kind.value

    def __str__(self) -> str:
        first = f"first example {self.first}: {self.text or 'no text'}"
        if self.kind is OutcomeKind.CANCELLED:
            return f"{self.count} broken off, {first}"
        lost = f"lost their {self.column!r}" if self.column else "failed"
        # Where nothing was raised, there is no class to name.
        named = "" if self.error == self.kind.value else f" ({self.error})"
        return f"{self.count} {lost} by {self.kind.value}{named}, {first}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What one look at all outcomes finds, in the space of the causes there are."""

    causes: tuple[Cause, ...]
    """In the order in which they first appear."""
    never_begun: int
    """Outcomes that are missing, of what nobody began."""
    replaced: int
    """Scores of a first attempt that a later one took the place of."""
    unfinished: int = 0
    """Outcomes that are missing, of what was begun."""


def survey(outcomes: Iterable[Outcome | None]) -> Survey:
    """Look at the outcomes once, and hold one of each cause."""
    found: dict[tuple[OutcomeKind, str, str | None], _Found] = {}
    never_begun = replaced = 0
    for outcome in outcomes:
        if outcome is None:
            never_begun += 1
            continue
        replaced += outcome.first_score is not None
        if outcome.kind is not OutcomeKind.SCORED:
            _count(found, outcome, outcome.kind, outcome.error)
        for column, error in outcome.lost.items():
            _count(found, outcome, OutcomeKind.METRIC, error, column)
    return Survey(
        causes=tuple(one.cause(key) for key, one in found.items()),
        never_begun=never_begun,
        replaced=replaced,
    )


def not_measured(found: Survey) -> Counter[str]:
    """Count what was not measured, by a word for the reason.

    Example:
        >>> cause = Cause(
        ...     kind=OutcomeKind.TIMEOUT, error="E", count=3, first=0, text="slow"
        ... )
        >>> dict(not_measured(Survey(causes=(cause,), never_begun=2, replaced=0)))
        {'timeout': 3, 'not begun': 2}
    """
    counted: Counter[str] = Counter()
    for cause in found.causes:
        if not cause.kind.is_final:
            counted[cause.word] += cause.count
    for word, many in (
        (NOT_FINISHED, found.unfinished),
        (NOT_BEGUN, found.never_begun),
    ):
        if many:
            counted[word] = many
    return counted


@dataclass(slots=True)
class _Found:
    first: int
    error: ErrorNote | None
    count: int = field(default=0)

    def cause(self, key: tuple[OutcomeKind, str, str | None]) -> Cause:
        kind, error, column = key
        text = "" if self.error is None else self.error.message.strip()
        return Cause(
            kind=kind,
            error=error,
            count=self.count,
            first=self.first,
            text=text.splitlines()[0][:LONGEST_LINE] if text else "",
            column=column,
            from_provider=error in _names_of(*_OF_PROVIDERS),
        )


def _count(
    found: dict[tuple[OutcomeKind, str, str | None], _Found],
    outcome: Outcome,
    kind: OutcomeKind,
    error: ErrorNote | None,
    column: str | None = None,
) -> None:
    name = kind.value if error is None else error.type
    one = found.setdefault(
        (kind, name, column), _Found(first=outcome.stamp.example, error=error)
    )
    one.count += 1


_OF_PROVIDERS: Final = (
    LMConnectionError,
    LMProviderError,
    LMUnexpectedError,
    CircuitOpenError,
)


def _names_of(*classes: type[BaseException]) -> frozenset[str]:
    """Return the names of classes and all below them: of a recorded error that is all.

    A class of a user's own counts as well, once it is defined.
    """
    below = (_names_of(*each.__subclasses__()) for each in classes)
    return frozenset(each.__name__ for each in classes).union(*below)
