"""Evaluations while a `FaultPlan` crashes, kills or holds an actor at a message.

Each fault is before, inside or after a handler, of each actor that a run needs.
"""

from __future__ import annotations

import contextlib
import itertools
import random
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import dspex
from dspex.evaluate.results.result import EvaluationResult
from dspex.testing import FakeProvider
from supervisors.testing import Fault, FaultKind, FaultPlan
from tests.actors.rows import answer, right, rows

ACTORS = ("aggregator", "coordinator", "client", "wire", "memory", "store")
"""Whom a run needs, by their ids in the tree. The workers' supervisor is not among
them: a run sends it no message."""
KINDS = (
    FaultKind.CRASH_BEFORE,
    FaultKind.ABANDON,
    FaultKind.CRASH_AFTER,
    FaultKind.KILL,
)
"""Before, inside and after a handler; and from outside."""
ZOMBIE_FOR = 0.1
"""Seconds for which the thread of an actor that was abandoned stays in its handler."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Struck:
    """An evaluation that a fault struck, and what it came to."""

    fault: Fault
    fired: bool
    """Whether the actor had so many messages."""
    digest: str
    billed: int
    unrecorded: int
    """Billed requests that the run knows nothing of."""


def faults(seed: int, count: int | None = None) -> Iterator[Fault]:
    """Each actor and kind in turn, at a message drawn from the seed.

    Args:
        seed: Draws the messages.
        count: How many faults; `None` for one of each.
    """
    draw = random.Random(seed)
    pairs = list(itertools.product(ACTORS, KINDS))
    draw.shuffle(pairs)
    rounds = itertools.cycle(pairs) if count is not None else iter(pairs)
    for actor, kind in itertools.islice(rounds, count):
        nth = draw.choice([1, 2, 3, draw.randint(4, 12)])
        yield Fault(kind=kind, actor=actor, nth=nth)


def struck(fault: Fault, *, examples: int) -> Struck:
    """Evaluate while the fault happens."""
    plan = FaultPlan([fault])
    with (
        tempfile.TemporaryDirectory() as home,
        FakeProvider(answer=answer, latency=0.002) as provider,
        dspex.Runtime(dspex.Config(home=Path(home))) as runtime,
        plan.installed(runtime.start().registry),
        released(plan),
    ):
        result = evaluated(provider, examples)
        billed = {each.request_id for each in provider.bill}
        return Struck(
            fault=fault,
            fired=bool(plan.fired),
            digest=result.digest,
            billed=len(billed),
            unrecorded=len(billed - set(result.requests)),
        )


def undisturbed(examples: int) -> str:
    """The digest of what nothing happens to."""
    with (
        FakeProvider(answer=answer) as provider,
        dspex.Runtime(dspex.Config(persist=False)),
    ):
        return evaluated(provider, examples).digest


def evaluated(provider: FakeProvider, examples: int) -> EvaluationResult:
    """Evaluate with the runtime and whatever strikes it."""
    lm = dspex.LM("openai/fake", api_base=provider.base_url)
    evaluate = dspex.Evaluate(
        devset=rows(examples), metric=right, concurrency=8, display_progress=False
    )
    with dspex.context(lm=lm):
        return evaluate(dspex.Predict("question -> answer"))


@contextlib.contextmanager
def released(plan: FaultPlan) -> Iterator[None]:
    """Let an abandoned actor's thread go on soon after it was abandoned."""
    over = threading.Event()

    def watch() -> None:
        while not plan.fired:
            if over.wait(0.01):
                return
        over.wait(ZOMBIE_FOR)
        plan.release()

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def unsound(done: Sequence[Struck], expected: str) -> list[Struck]:
    """Those that came to something else than an undisturbed run."""
    return [each for each in done if each.digest != expected or each.unrecorded]
