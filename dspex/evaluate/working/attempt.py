"""One attempt at one example: a worker, from its preparation to its outcome."""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from dspex.core.example import Example
from dspex.core.once import Unrepeatable
from dspex.core.spending import Spending
from dspex.evaluate.results.outcome import Outcome, Stage, Stamp
from dspex.evaluate.running.plan import GivenUp
from dspex.evaluate.scheduling.outage import Sign
from dspex.evaluate.working.traced_call import TracedCall
from dspex.evaluate.working.worker import AsyncWork, Work, aperform, perform
from supervisors import Clock, ExitReason, Normal, Ref, ScopeCancelledError

if TYPE_CHECKING:
    from dspex.evaluate.working.floor import Lane

NOTHING_BEGUN: Final = Unrepeatable()
"""What an attempt that no worker has begun has done that is never run again."""
NOTHING_SPENT: Final = Spending()
"""What it has had from models."""


class Host(Protocol):
    """What an attempt needs of its run."""

    work: Work | AsyncWork
    """What to do with its example."""
    context: contextvars.Context
    """Of which its worker gets a copy."""
    clock: Clock
    """The tree's."""

    def announce(self, attempt: Attempt) -> None:
        """Write down that it begins; give it up when it must not."""

    def announce_unrepeatable(self, attempt: Attempt, name: str) -> None:
        """Write down that it begins what is never run again."""

    def propose(self, attempt: Attempt, outcome: Outcome) -> None:
        """Take what came of it; called in its worker."""

    def lost(self, attempt: Attempt) -> None:
        """Hear that its worker was killed."""


class Attempt:
    """One attempt at one example: a worker, from its preparation to its outcome.

    It is what a lane runs: see `supervisors.LaneTask`.
    """

    __slots__ = (
        "_given_up",
        "_host",
        "answered",
        "began",
        "begun",
        "example",
        "lane",
        "may_run_again",
        "metric_began",
        "overdue",
        "proposed",
        "reason",
        "ref",
        "sign",
        "spending",
        "stamp",
        "traced",
        "where",
    )

    def __init__(
        self, stamp: Stamp, example: Example, host: Host, *, answered: int = 0
    ) -> None:
        self.stamp = stamp
        self.answered = answered
        """How many earlier attempts failed after an answer: this one asks anew."""
        self.example = example
        self._host = host
        self._given_up: str | None = None
        # Of its own once it begins: of those that are prepared there are many.
        self.begun = NOTHING_BEGUN
        """What the worker has begun that is never run again."""
        self.may_run_again = True
        """Whether that was nothing, once its work is done."""
        self.spending = NOTHING_SPENT
        """What its worker has had from models."""
        self.lane: Lane | None = None
        """Where it runs, or ran."""
        self.ref: Ref[Any] | None = None
        """Its worker, once that has begun; `None` again when its work is done."""
        self.began = 0.0
        """When that was, on the tree's clock."""
        self.metric_began: float | None = None
        """When its metric began, once it has."""
        self.overdue: Stage | None = None
        """Where it was when its time was over, if it was given up for that."""
        self.sign: Sign | None = None
        """The outage that it waited for then, if it did."""
        self.traced: Callable[[], tuple[TracedCall, ...]] = tuple
        """Gives the calls it made so far, where they are kept."""
        self.where = ""
        """Where its thread was when its time was over, as `traceback` prints it."""
        self.proposed = False
        """Whether its worker has handed an outcome in."""
        self.reason: ExitReason | None = None
        """How its worker ended, once it has."""

    @property
    def label(self) -> str:
        """What errors and pictures call its worker."""
        return f"example {self.stamp.example} attempt {self.stamp.attempt}"

    @property
    def tags(self) -> Mapping[str, Any]:
        """What the calls of its worker belong to, for their record."""
        return self.stamp.tags()

    @property
    def context(self) -> contextvars.Context:
        """Of which its worker gets a copy."""
        return self._host.context

    @property
    def is_prepared(self) -> bool:
        """Whether no worker has begun it yet."""
        return self.ref is None and self.reason is None and not self.proposed

    @property
    def is_taken(self) -> bool:
        """Whether a worker has taken it, be it done or not."""
        return self.lane is not None

    @property
    def is_lost(self) -> bool:
        """Whether its worker ended and handed nothing in."""
        return self.reason is not None and not self.proposed

    @property
    def is_at_work(self) -> bool:
        """Whether a worker has taken it and is not done."""
        return self.is_taken and self.reason is None and not self.proposed

    @property
    def is_running(self) -> bool:
        """Whether its worker has begun and is not done."""
        return self.ref is not None and self.is_at_work

    @property
    def has_shown(self) -> bool:
        """Whether it had an answer, or began what is never run again."""
        return bool(self.begun) or self.spending.total().calls > 0

    def metric_begins(self) -> None:
        """Note that the program is done and its metric begins."""
        self.metric_began = self._host.clock.monotonic()

    def run(self) -> None:
        """Work on the example, and hand the outcome in."""
        self._begin()
        outcome = perform(self, cast("Work", self._host.work))
        self._host.propose(self, outcome)

    async def arun(self) -> None:
        """Do the same on an event loop, where the work is a coroutine function."""
        self._begin()
        outcome = await aperform(self, cast("AsyncWork", self._host.work))
        self._host.propose(self, outcome)

    def _begin(self) -> None:
        self.begun = Unrepeatable(self._begins_unrepeatable)
        self.spending = Spending()

    def _begins_unrepeatable(self, name: str) -> None:
        """Have it written down that something begins which is never run again.

        Raises:
            ScopeCancelledError: The worker was given up: another may do it now.
            RunFencedError: Another owner took the run over, and may do it.
        """
        if self.is_given_up or self.reason is not None:
            msg = (
                f"{name!r} is marked retry=False and was not begun: the attempt that "
                "wanted to had been given up. Its example may be tried again."
            )
            raise ScopeCancelledError(msg)
        self._host.announce_unrepeatable(self, name)

    def started(self, ref: Ref[Any]) -> None:
        """Take note of the worker."""
        self.began = self._host.clock.monotonic()
        self.ref = ref
        self._host.announce(self)
        if self._given_up is not None:
            self.give_up(self._given_up)

    def ended(self, reason: ExitReason) -> None:
        """Take note of the worker's end; it is news unless the work was done."""
        self.reason = reason
        if not self.proposed or not isinstance(reason, Normal):
            self._host.lost(self)
        if self.proposed:
            # It is in hand until its outcome is accepted. What its worker was made of,
            # and the calls that it kept, are not to wait for that; nor is it itself for
            # the garbage collector, as what it has begun refers to it.
            self.ref = None
            self.traced = tuple
            self.may_run_again = not self.begun
            self.begun = NOTHING_BEGUN

    def give_up(self, why: str) -> None:
        """End the worker, at once or as soon as it begins.

        The scope first: from now on every call of its thread is refused, so it stops
        spending even though it cannot be killed.
        """
        # Before the look for a worker, which is noted before the look for this.
        self._given_up = why
        ref = self.ref
        if ref is not None:
            ref.life.scope.cancel(why)
            ref.kill()

    @property
    def seconds(self) -> float:
        """How long it has taken until now; 0 when no worker has begun it."""
        if self.ref is None:
            return 0.0
        return self._host.clock.monotonic() - self.began

    def as_given_up(self) -> GivenUp:
        """What is said of it when the run ends before it is done."""
        return GivenUp(
            stamp=self.stamp,
            latency=self.seconds,
            spent=self.spending.total(),
            stage="program" if self.metric_began is None else "metric",
            may_run_again=self.may_run_again and not self.begun,
        )

    @property
    def is_given_up(self) -> bool:
        """Whether the calls of its worker are refused."""
        return self._given_up is not None
