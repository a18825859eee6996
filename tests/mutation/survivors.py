"""The list of survivors that are equivalent, and how a run compares with it."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.mutation.engine import Outcome
from tests.mutation.mutation import Mutation

FILE = Path(__file__).with_name("survivors.toml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Survivor:
    """A mutant that no test can kill."""

    mutation: Mutation
    """What it changes."""
    reason: str
    """Why the module does the same with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A run over one module, beside the list."""

    module: str
    """Its name."""
    outcome: Outcome
    """What became of its mutants."""
    listed: tuple[Mutation, ...]
    """Survivors that the list explains."""
    unlisted: tuple[Mutation, ...]
    """Survivors that nothing explains: a test is missing."""
    stale: tuple[Mutation, ...]
    """What the list says and the run does not: killed by now, or gone."""

    @property
    def holds(self) -> bool:
        """Whether each mutant was noticed or is explained."""
        return not (self.unlisted or self.stale or self.outcome.undecided)

    def summary(self) -> dict[str, str | int]:
        """The counts, in one line's worth of facts."""
        outcome = self.outcome
        noticed = outcome.killed + len(outcome.timed_out)
        return {
            "module": self.module,
            "mutants": noticed + len(outcome.survived) + len(outcome.undecided),
            "killed": outcome.killed,
            "timed_out": len(outcome.timed_out),
            "survived_listed": len(self.listed),
            "survived_unlisted": len(self.unlisted),
            "undecided": len(outcome.undecided),
            "stale": len(self.stale),
        }


def read(text: str) -> list[Survivor]:
    """Read the list.

    Raises:
        ValueError: An entry has no reason, or other keys than it should.
    """
    entries = tomllib.loads(text).get("survivor", [])
    return [_survivor(entry) for entry in entries]


def _survivor(entry: dict[str, str]) -> Survivor:
    expected = {"module", "function", "before", "after", "reason"}
    if entry.keys() != expected or not entry["reason"].strip():
        msg = (
            f"the entry {entry!r} does not say all; expected {sorted(expected)}, and a "
            "reason that is not empty. Complete it in tests/mutation/survivors.toml."
        )
        raise ValueError(msg)
    mutation = Mutation(
        entry["module"],
        entry["function"],
        entry["before"].strip(),
        entry["after"].strip(),
    )
    return Survivor(mutation=mutation, reason=entry["reason"])


def compare(module: str, outcome: Outcome, survivors: Iterable[Survivor]) -> Verdict:
    """Hold a run of one module beside the list.

    An entry explains one mutant: when a line stands twice in a function, both of its
    mutants need theirs. A mutant that hung this time says nothing about its entry.
    """
    listed = Counter(
        each.mutation for each in survivors if each.mutation.module == module
    )
    survived = Counter(outcome.survived)
    stale = listed - survived - Counter(outcome.timed_out)
    return Verdict(
        module=module,
        outcome=outcome,
        listed=tuple((survived & listed).elements()),
        unlisted=tuple((survived - listed).elements()),
        stale=tuple(stale.elements()),
    )
