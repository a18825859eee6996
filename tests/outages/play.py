"""One run of many examples, in the middle of which the provider is down for a while."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, Final

import dspex
from dspex.client.call import ATTEMPT, Fate
from dspex.testing import OVERLOADED, FakeProvider
from dspex.testing.faults import CloseBeforeAnswer, Fault, Hang
from supervisors import Event
from tests.actors.rows import answer, right, rows

FAULTS: Final[dict[str, Fault]] = {
    "503": OVERLOADED,
    "dropped": CloseBeforeAnswer(),
    "silent": Hang(),
}
"""What each request meets meanwhile, by the name of the way."""

WAYS: Final = (*FAULTS, "refused")
"""All ways of being down. For "refused" the server is gone: what is out is cut off, and
no connection is taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """What is played."""

    way: str
    """How the provider is down."""
    examples: int = 10_000
    """In the set; it happens at the half of it."""
    down: float = 5.0
    """Seconds for which it is so."""
    concurrency: int = 16
    """Workers."""
    latency: float = 0.02
    """Seconds the provider takes for an answer."""
    retries: int | None = None
    """The client's own; `None` is the default."""
    timeout: float | None = None
    """Seconds without a byte after which a request is given up; `None` likewise."""
    is_async: bool = False
    """Whether the program is a coroutine function."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """What came of it."""

    scored: int
    """Examples with a score."""
    extra: int
    """Requests on the provider's bill beyond one for each example."""
    sent: int
    """Requests sent beyond those, the refused ones included."""
    attempts: int
    """Attempts at examples beyond one for each."""
    seconds: float
    """The whole run."""
    was_down: float
    """Seconds for which the provider was down in fact."""
    failures: dict[str, int]
    """Outcomes without a score, by kind."""


class Asking(dspex.Module):
    """A program of coroutines."""

    def __init__(self) -> None:
        super().__init__()
        self.answer = dspex.Predict("question -> answer")

    async def aforward(self, question: str) -> dspex.Prediction:
        """Ask the model."""
        return await self.answer.acall(question=question)


def play(outage: Outage, config: dspex.Config | None = None) -> Bill:
    """Evaluate, with a provider that is down for a while.

    Args:
        outage: What is played.
        config: The runtime's; without a record unless given.
    """
    sent: Counter[Fate] = Counter()

    def count(event: Event) -> None:
        sent[event.metadata["record"].fate] += 1

    evaluate = dspex.Evaluate(
        devset=rows(outage.examples),
        metric=right,
        concurrency=outage.concurrency,
        max_errors=None,
    )
    program: Any = dspex.Predict("question -> answer")
    if outage.is_async:
        program = Asking()
    with (
        FakeProvider(answer=answer, latency=outage.latency) as provider,
        dspex.Runtime(config or dspex.Config(persist=False)) as runtime,
        dspex.context(lm=_model(outage, provider)),
        _down_in_the_middle(provider, outage) as was_down,
    ):
        runtime.events.attach(count, ATTEMPT)
        began = time.monotonic()
        result = evaluate(program)
        seconds = time.monotonic() - began
    outcomes = [each for each in result.outcomes if each is not None]
    kinds = Counter(each.kind.value for each in outcomes)
    return Bill(
        scored=kinds.pop("scored", 0),
        extra=len(provider.bill) - outage.examples,
        sent=sent[Fate.OPEN] - outage.examples,
        attempts=sum(each.stamp.attempt - 1 for each in outcomes),
        seconds=round(seconds, 2),
        was_down=sum(was_down),
        failures=dict(kinds),
    )


def told(outage: Outage, bill: Bill) -> dict[str, Any]:
    """Both as plain values."""
    return {**asdict(outage), **asdict(bill)}


def _model(outage: Outage, provider: FakeProvider) -> dspex.LM:
    options: dict[str, Any] = {"timeout": outage.timeout}
    if outage.retries is not None:
        options["num_retries"] = outage.retries
    return dspex.LM("openai/fake", api_base=provider.base_url, **options)


@contextmanager
def _down_in_the_middle(
    provider: FakeProvider, outage: Outage
) -> Iterator[list[float]]:
    """Let it be down; how long that was, once it is over."""
    fall, rise = _switch(provider, outage.way)
    was_down: list[float] = []

    def be_down() -> None:
        provider.wait_for_bill(outage.examples // 2, 600)
        began = time.monotonic()
        fall()
        threading.Event().wait(outage.down)
        rise()
        was_down.append(time.monotonic() - began)

    thread = threading.Thread(target=be_down, name="outage")
    thread.start()
    yield was_down
    thread.join()


def _switch(
    provider: FakeProvider, way: str
) -> tuple[Callable[[], None], Callable[[], None]]:
    if way == "refused":
        return provider.stop, provider.start
    return (lambda: provider.misbehave(FAULTS[way])), provider.behave
