"""Chaos on purpose: what goes wrong in production, while you evaluate, from a seed.

```python
from dspex.testing.chaos import ChaosPlan, chaos

with chaos(ChaosPlan.everything(seed=7)) as report:
    result = evaluate(program)
print(report)
```

A score under chaos is the score without it: requests are made again, parts are started
again, and each example is counted once.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from dspex.core.errors import ConfigurationError
from dspex.runtime.runtime import Runtime, current_runtime
from dspex.testing._chaos_plan import (
    CacheChaos,
    ChaosPlan,
    ClockChaos,
    CrashChaos,
    DiskChaos,
    MailboxChaos,
    ProviderChaos,
)
from dspex.testing._chaos_seams import Dice, at_all_seams, held_back
from supervisors.testing import Fault, FaultKind, FaultPlan
from supervisors.testing._intercepting import intercepting

__all__ = [
    "CacheChaos",
    "ChaosPlan",
    "ChaosReport",
    "ClockChaos",
    "CrashChaos",
    "DiskChaos",
    "MailboxChaos",
    "ProviderChaos",
    "chaos",
]

PARTS = ("client", "wire", "memory", "store", "aggregator", "coordinator")
"""Actors that a plan can let crash, by their ids in the tree."""
_DEATHS = (FaultKind.CRASH_BEFORE, FaultKind.CRASH_AFTER, FaultKind.KILL)

# Held by the chaos there is: the seams are the process's.
_one_at_a_time = threading.Lock()


class ChaosReport:
    """What a plan has brought about so far; read it from any thread.

    Args:
        plan: The plan.
    """

    def __init__(self, plan: ChaosPlan) -> None:
        self.plan = plan
        """What was to happen."""
        self._dice = Dice(plan.seed)
        self._crashes = FaultPlan(_crashes(plan))

    @property
    def counts(self) -> Counter[str]:
        """How often what happened."""
        counts = self._dice.counts
        for fired in self._crashes.fired:
            counts[f"deaths of the {fired.fault.actor}"] += 1
        return counts

    @property
    def missed(self) -> tuple[str, ...]:
        """Crashes that had no occasion: their part had too few messages."""
        return tuple(map(str, self._crashes.unfired))

    def __str__(self) -> str:
        told = [f"{what} ({count})" for what, count in sorted(self.counts.items())]
        return f"chaos with seed {self.plan.seed}: {', '.join(told) or 'nothing'}"


@contextmanager
def chaos(plan: ChaosPlan, *, runtime: Runtime | None = None) -> Iterator[ChaosReport]:
    """Let go wrong what a plan says while the block runs.

    It works on any program and any provider. Requests, files and the clock are
    disturbed in the whole process; messages and crashes are those of one tree.

    Args:
        plan: What is to go wrong, and how often.
        runtime: Whose parts crash; the current one by default, which it starts.

    Yields:
        What has happened so far.

    Raises:
        ConfigurationError: There is chaos in this process already.
    """
    if not _one_at_a_time.acquire(blocking=False):
        raise ConfigurationError(
            "there is chaos in this process already; expected one plan at a time. "
            "Leave the other block first, or make one plan of the two."
        )
    try:
        report = ChaosReport(plan)
        registry = (runtime or current_runtime()).start().registry
        with ExitStack() as stack:
            stack.enter_context(at_all_seams(plan, report._dice))  # noqa: SLF001 - this module's
            if plan.mailboxes.slow:
                meet = held_back(plan, report._dice)  # noqa: SLF001 - this module's
                stack.enter_context(intercepting(meet, registry))
            if report._crashes.faults:  # noqa: SLF001 - this module's
                stack.enter_context(report._crashes.installed(registry))  # noqa: SLF001 - this module's
            yield report
    finally:
        _one_at_a_time.release()


def _crashes(plan: ChaosPlan) -> Iterator[Fault]:
    """Draw at which of its messages each part dies, and how."""
    draw = random.Random(plan.seed)  # noqa: S311 - to be repeated, not to be secret
    for part in PARTS:
        for _ in range(getattr(plan.crashes, part)):
            nth = draw.randint(1, max(1, plan.crashes.within))
            yield Fault(kind=draw.choice(_DEATHS), actor=part, nth=nth)
