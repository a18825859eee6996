"""Whether a daemon can answer requests now, and which part is the reason if not.

A pure rule over what was found; `health` finds it. Not ready means that a request would
fail or wait long: what only costs time or money is named, and the daemon stays ready.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from dspex.client.standing import ClientStanding, OpenBreaker


@dataclass(frozen=True, slots=True, kw_only=True)
class Failing:
    """A part that is not as it should be."""

    part: str
    """Which: `drain`, `root`, `cache`, a provider by its label, or its way in the
    tree."""
    what: str
    """What is wrong with it, as a sentence for people."""
    stops_requests: bool
    """Whether requests fail for it."""

    def as_json(self) -> dict[str, Any]:
        """Its plain values."""
        return {
            "part": self.part,
            "what": self.what,
            "stops_requests": self.stops_requests,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """What `/readyz` says."""

    failing: tuple[Failing, ...] = ()
    """What is not as it should be; what stops requests comes first."""

    @property
    def is_ready(self) -> bool:
        """Whether requests can be answered."""
        return not any(each.stops_requests for each in self.failing)

    def as_json(self) -> dict[str, Any]:
        """The body of the answer."""
        return {
            "ready": self.is_ready,
            "failing": [each.as_json() for each in self.failing],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What was found out about a daemon, at one moment."""

    draining: bool = False
    """Whether it takes no more requests because it ends."""
    root_trouble: str | None = None
    """Why the root of the tree does not answer; `None` when it does."""
    providers: Sequence[ClientStanding] = ()
    """What holds up the calls of each provider that was called and answers."""
    cache_trouble: str | None = None
    """What was wrong with the cache's file last; `None` when nothing was."""
    parts_down: Sequence[tuple[str, str]] = ()
    """Each part of the tree that does not run, as its way there and its state."""


def readiness(found: Found) -> Readiness:
    """Decide whether requests can be answered.

    A provider whose breaker is open stops requests when it is the only one, or when all
    are so. It does not once its breaker lets a call look whether the provider is back:
    a daemon that got no request then would never find out.

    Example:
        >>> readiness(Found(draining=True)).failing[0].part
        'drain'
        >>> readiness(Found(cache_trouble="full")).is_ready
        True
    """
    failing = sorted(_failing(found), key=lambda each: not each.stops_requests)
    return Readiness(failing=tuple(failing))


def _failing(found: Found) -> Iterator[Failing]:
    if found.draining:
        what = "it ends, and answers only what it has accepted"
        yield Failing(part="drain", what=what, stops_requests=True)
    if found.root_trouble is not None:
        yield Failing(part="root", what=found.root_trouble, stops_requests=True)
    down = [each for each in found.providers if _shuts_out(each)]
    for standing in found.providers:
        for breaker in standing.breakers:
            yield Failing(
                part=standing.label,
                what=_told(breaker),
                stops_requests=standing in down and len(down) == len(found.providers),
            )
    if found.cache_trouble is not None:
        what = f"its file is {found.cache_trouble}; answers may not be kept"
        yield Failing(part="cache", what=what, stops_requests=False)
    for path, state in found.parts_down:
        yield Failing(part=path, what=f"it is {state}", stops_requests=False)


def _shuts_out(standing: ClientStanding) -> bool:
    return any(breaker.retry_in > 0 for breaker in standing.breakers)


def _told(breaker: OpenBreaker) -> str:
    then = (
        f"asks again in {breaker.retry_in:.1f} s"
        if breaker.retry_in > 0
        else "the next call asks whether it is back"
    )
    return (
        f"the breaker of {breaker.model!r} is open for {breaker.open_for:.1f} s; {then}"
    )
