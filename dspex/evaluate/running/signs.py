"""Where signs of an outage are looked for: at the clients that make the calls."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from dspex.client.standing import ClientStanding, HeldBy, OpenBreaker
from dspex.evaluate.results.outcome import Outcome, Stamp
from dspex.evaluate.scheduling.outage import DOUBTFUL, LaneName, Sign, sign_of

Standings = Callable[[], Sequence[ClientStanding]]
"""Asks all clients what holds their calls up."""


def nobody_calls() -> Sequence[ClientStanding]:
    """Say that there are no clients."""
    return ()


class Signs:
    """Looks at failed outcomes of one batch, and asks the clients at most once.

    Args:
        standings: Asks them.
    """

    def __init__(self, standings: Standings) -> None:
        self._ask = standings
        self._breakers: Mapping[LaneName, OpenBreaker] | None = None

    def of(self, outcome: Outcome) -> Sign | None:
        """The outage that an attempt failed for, if it did."""
        if outcome.kind not in DOUBTFUL or outcome.error is None:
            return None
        if self._breakers is None:
            self._breakers = open_breakers(self._ask())
        return sign_of(outcome.error.error, self._breakers)


def open_breakers(
    standings: Iterable[ClientStanding],
) -> Mapping[LaneName, OpenBreaker]:
    """The open breakers, as errors name whose they are."""
    return {
        (standing.label, breaker.model): breaker
        for standing in standings
        for breaker in standing.breakers
    }


def sign_of_waiting(stamp: Stamp, standings: Iterable[ClientStanding]) -> Sign | None:
    """The outage that an attempt waits for at this moment, if it does.

    One that is out of time while a breaker is open for its call has not been slow.
    """
    wanted = stamp.tags()
    for standing in standings:
        breakers = {breaker.model: breaker for breaker in standing.breakers}
        for call in standing.calls:
            breaker = breakers.get(call.model)
            is_its = all(call.tags.get(name) == wanted[name] for name in wanted)
            if is_its and breaker is not None:
                return Sign(
                    what=standing.label,
                    text="its breaker was open when an example's time was over",
                    down_for=breaker.open_for,
                    retry_in=breaker.retry_in,
                )
            if is_its and call.held_by is HeldBy.DOUBT:
                return Sign(
                    what=standing.label,
                    text="it had answered nobody when an example's time was over",
                )
    return None


def only_waits(stamp: Stamp, standings: Iterable[ClientStanding]) -> bool:
    """Whether an attempt waits for an outage to end, and has lost no request to it.

    It may have looked whether the provider is back. What its earlier calls came to is
    not known here.
    """
    wanted = stamp.tags().items()
    calls = [
        call
        for standing in standings
        for call in standing.calls
        if wanted <= call.tags.items()
    ]
    return bool(calls) and all(
        call.held_by in (HeldBy.BREAKER, HeldBy.DOUBT) and not call.lost
        for call in calls
    )
