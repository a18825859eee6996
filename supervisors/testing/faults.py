"""Faults on purpose: the k-th message of an actor crashes, kills or holds it."""

from __future__ import annotations

import contextlib
import inspect
import random
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Self

from supervisors._acall import settled as settled_on_loop
from supervisors._callbacks import NO_REPLY
from supervisors._future import ReplyFuture
from supervisors._on_loop import OnLoop
from supervisors.actor import Actor
from supervisors.child_spec import ChildSpec
from supervisors.exits import KILLED
from supervisors.registry import Registry
from supervisors.stock import supervised
from supervisors.supervisor import AnySupervisor
from supervisors.testing._intercepting import Handle, intercepting


class InjectedCrashError(BaseException):
    """What an actor crashes with because a `FaultPlan` says so.

    No `Exception`, so that it also ends an unmodified Pykka actor, which gives those
    to its callers and lives on.
    """


class FaultKind(Enum):
    """What happens at the message a fault waits for."""

    CRASH_BEFORE = "crash_before"
    """The actor crashes and the handler never sees the message."""
    CRASH_AFTER = "crash_after"
    """The handler has done its work; then the actor crashes, before it replies."""
    KILL = "kill"
    """The actor is killed from outside; the handler never sees the message."""
    ABANDON = "abandon"
    """The actor is killed while its thread is in the handler. The thread stays there
    until `FaultPlan.release`, and runs the handler then, as a zombie does. An actor on
    a loop is cancelled at once, so nothing of it stays."""
    HANG = "hang"
    """The actor lives and stands in the handler until `FaultPlan.release`; then it goes
    on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that is to go wrong, once.

    Example:
        >>> print(Fault(kind=FaultKind.KILL, actor="cache", nth=3))
        kill of 'cache' at message 3
    """

    kind: FaultKind
    """What happens."""
    actor: str | type[Any]
    """Whom: a registered name, an id, a path such as `branch/worker`, or a class."""
    nth: int = 1
    """At which of its messages, counted from 1 through all its incarnations."""
    message: type[Any] | None = None
    """Which messages are counted; `None` counts all, news of ends and timers too."""

    def __post_init__(self) -> None:
        if self.nth < 1:
            msg = f"nth is {self.nth}; messages are counted from 1. Pass 1 or more."
            raise ValueError(msg)

    def __str__(self) -> str:
        actor = self.actor if isinstance(self.actor, str) else self.actor.__name__
        message = "message" if self.message is None else self.message.__name__
        return f"{self.kind.value} of {actor!r} at {message} {self.nth}"

    def is_for(self, actor: Actor, message: object) -> bool:
        """Whether a message of an actor is one of those that are counted."""
        if self.message is not None and not isinstance(message, self.message):
            return False
        if not isinstance(self.actor, str):
            return isinstance(actor, self.actor)
        path = actor.life.path
        return self.actor in (actor.life.label, "/".join(path), *path[-1:])


@dataclass(frozen=True, slots=True, kw_only=True)
class Fired:
    """A fault that has happened."""

    fault: Fault
    """Which."""
    actor: str
    """On whom: its path, or its name outside of trees."""
    message: str
    """At a message of which class."""
    count: int
    """At the how many-th: more than `Fault.nth` only when another came first."""


class FaultPlan:
    """The faults of one test: explicit ones, or drawn from a seed.

    Each fires once, at its message, on whatever incarnation has it in hand then. What
    fired is kept, so that a test can assert that it did.

    Example:
        >>> from supervisors import Actor, ChildSpec, Supervisor
        >>> class Adder(Actor):
        ...     def on_receive(self, message):
        ...         return message + 1
        >>> adder = ChildSpec(id="adder", actor=Adder, name="adder")
        >>> plan = FaultPlan([Fault(kind=FaultKind.KILL, actor="adder", nth=2)])
        >>> with Supervisor.start([adder]) as top, plan.installed(top):
        ...     [top.handle("adder").call(n, idempotent=True) for n in (1, 2, 3)]
        [2, 3, 4]
        >>> [(fired.actor, fired.count) for fired in plan.fired]
        [('adder', 2)]
    """

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self.faults = tuple(faults)
        """What is to happen."""
        # Protects the three below: many actors meet the plan at once.
        self._lock = threading.Lock()
        self._counts = [0] * len(self.faults)
        self._open = dict(enumerate(self.faults))
        self._fired: list[Fired] = []
        self._released: ReplyFuture[None] = ReplyFuture()

    @classmethod
    def seeded(
        cls,
        seed: int,
        actors: Sequence[str | type[Any]],
        *,
        count: int = 5,
        within: int = 50,
        kinds: Sequence[FaultKind] = (
            FaultKind.CRASH_BEFORE,
            FaultKind.CRASH_AFTER,
            FaultKind.KILL,
        ),
    ) -> Self:
        """Draw faults; the same seed and arguments draw the same ones.

        Args:
            seed: Print it when a test fails; `str(plan)` shows what came of it.
            actors: Whom they may hit.
            count: How many.
            within: Among how many messages of each actor.
            kinds: Which. Those that last are left out by default: somebody has to
                release them.

        Example:
            >>> plans = [FaultPlan.seeded(7, ["a", "b"]) for _ in range(2)]
            >>> plans[0].faults == plans[1].faults
            True
        """
        draw = random.Random(seed)  # noqa: S311 - to be repeated, not to be secret
        return cls(
            Fault(
                kind=draw.choice(kinds),
                actor=draw.choice(actors),
                nth=draw.randint(1, within),
            )
            for _ in range(count)
        )

    def __str__(self) -> str:
        return ", ".join(map(str, self.faults)) or "no faults"

    @property
    def fired(self) -> tuple[Fired, ...]:
        """What has happened, in order."""
        with self._lock:
            return tuple(self._fired)

    @property
    def unfired(self) -> tuple[Fault, ...]:
        """What has not happened yet."""
        with self._lock:
            return tuple(self._open.values())

    def assert_all_fired(self) -> None:
        """Assert that everything planned has happened.

        Raises:
            AssertionError: A fault has not: its actor had too few messages, or none.
        """
        if self.unfired:
            missing = ", ".join(map(str, self.unfired))
            msg = (
                f"these faults never happened: {missing}. Each has its message to "
                "happen at; check the actor's name and how many messages it gets."
            )
            raise AssertionError(msg)

    def release(self) -> None:
        """Let go whoever hangs or was abandoned, also those to come."""
        self._released.resolve(None)

    @contextlib.contextmanager
    def installed(self, tree: AnySupervisor | Registry | None = None) -> Iterator[Self]:
        """Let the faults happen while the block runs; releases what they hold after it.

        Args:
            tree: A supervisor or the registry of its tree, which may start later. By
                default every actor of this process.
        """
        registry = tree.registry if isinstance(tree, AnySupervisor) else tree
        try:
            with intercepting(self._meet, registry):
                yield self
        finally:
            self.release()

    def wrap(self, spec: ChildSpec) -> ChildSpec:
        """A spec whose child meets these faults; its class is a subclass of the old.

        Call `release` at the end when something may hang.
        """
        plan = self
        base: Any = supervised(spec.actor)

        class Faulty(base):  # type: ignore[misc] # the base is known at run time only
            def _received(self, message: Any) -> Any:
                return plan._meet(self, message, super()._received)

        Faulty.__name__ = Faulty.__qualname__ = base.__name__
        Faulty.__doc__ = base.__doc__
        return replace(spec, actor=Faulty)

    def _meet(self, actor: Actor, message: Any, handle: Handle) -> Any:
        """Handle a message, or do what the plan has for it."""
        fault = self._due(actor, message)
        if fault is None:
            return handle(message)
        if fault.kind is FaultKind.CRASH_BEFORE:
            raise InjectedCrashError(str(fault))
        if fault.kind is FaultKind.KILL:
            actor.life.end_from_outside(KILLED)
            return NO_REPLY
        if isinstance(actor, OnLoop):
            return self._meet_on_loop(fault, actor, message, handle)
        if fault.kind is FaultKind.CRASH_AFTER:
            handle(message)
            raise InjectedCrashError(str(fault))
        if fault.kind is FaultKind.ABANDON:
            actor.life.end_from_outside(KILLED)
        self._released.wait()
        return handle(message)

    async def _meet_on_loop(
        self, fault: Fault, actor: Actor, message: Any, handle: Handle
    ) -> Any:
        if fault.kind is FaultKind.ABANDON:
            # Cancels the task this runs in, at its next `await`.
            actor.life.end_from_outside(KILLED)
        if fault.kind is not FaultKind.CRASH_AFTER:
            await settled_on_loop(self._released)
        result = handle(message)
        if inspect.isawaitable(result):
            result = await result
        if fault.kind is FaultKind.CRASH_AFTER:
            raise InjectedCrashError(str(fault))
        return result

    def _due(self, actor: Actor, message: Any) -> Fault | None:
        """Count a message; the fault that happens at it, if one does."""
        due: int | None = None
        with self._lock:
            for index, fault in self._open.items():
                if fault.is_for(actor, message):
                    self._counts[index] += 1
                    if due is None and self._counts[index] >= fault.nth:
                        due = index
            if due is None:
                return None
            fault = self._open.pop(due)
            path = "/".join(actor.life.path) or actor.life.label
            word = type(message).__name__
            fired = Fired(
                fault=fault, actor=path, message=word, count=self._counts[due]
            )
            self._fired.append(fired)
        return fault
