"""A provider that is down for a while in the middle of a run."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import dspex
from dspex.testing import FakeProvider
from tests.actors.rows import answer, right, rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Survived:
    """What a run came to whose provider was down for a while."""

    examples: int
    seconds_down: float
    concurrency: int
    scored: int
    extra_attempts: int
    """Attempts at examples beyond one for each."""
    extra_requests: int
    """Requests that the provider received beyond one for each example."""

    @property
    def is_sound(self) -> bool:
        """Whether all was scored, at no more than what was out when it went down."""
        extra = max(self.extra_attempts, self.extra_requests)
        return self.scored == self.examples and extra <= self.concurrency


def outage(examples: int, seconds: float, *, concurrency: int = 16) -> Survived:
    """Evaluate while the provider goes down in the middle, and comes back."""
    with FakeProvider(answer=answer, latency=0.002) as provider:

        def be_down() -> None:
            provider.wait_for_bill(examples // 2, 600)
            provider.stop()
            threading.Event().wait(seconds)
            provider.start()

        thread = threading.Thread(target=be_down)
        thread.start()
        lm = dspex.LM("openai/fake", api_base=provider.base_url, cache=False)
        evaluate = dspex.Evaluate(
            devset=rows(examples),
            metric=right,
            concurrency=concurrency,
            display_progress=False,
        )
        with dspex.Runtime(dspex.Config(persist=False)), dspex.context(lm=lm):
            result = evaluate(dspex.Predict("question -> answer"))
        thread.join()
        extra_requests = len(provider.bill) - examples
    outcomes = [each for each in result.outcomes if each is not None]
    return Survived(
        examples=examples,
        seconds_down=seconds,
        concurrency=concurrency,
        scored=sum(each.score is not None for each in outcomes),
        extra_attempts=sum(each.stamp.attempt - 1 for each in outcomes),
        extra_requests=extra_requests,
    )
