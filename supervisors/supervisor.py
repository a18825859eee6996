"""The supervisor, as the rest of a program holds it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Self, cast

from supervisors._decide import AutoShutdown
from supervisors._effects import ChildCounts, ChildStatus
from supervisors._messages import (
    AddChild,
    DeleteChild,
    GetChildren,
    GetChildSpec,
    GetCounts,
    RestartChild,
    TerminateChild,
)
from supervisors._root import ROOT, start_root
from supervisors._supervising import MAX_ZOMBIES
from supervisors.child_spec import ChildSpec, Intensity, Strategy
from supervisors.clock import SYSTEM_CLOCK, Clock
from supervisors.events import Events
from supervisors.exits import SHUTDOWN, ExitReason
from supervisors.handle import Handle
from supervisors.ref import DEFAULT_CALL_TIMEOUT, Ref
from supervisors.registry import Registry
from supervisors.supervisor_actor import SupervisorActor


class AnySupervisor(Handle):
    """What the handles of all kinds of supervisors can do.

    Use one as a context manager, and the tree is stopped at the end of the block.
    """

    ROOT: ClassVar[str] = ROOT
    """The name of a tree's topmost supervisor in its own registry."""

    def __init__(
        self, registry: Registry, name: str, root: Ref[Any] | None = None
    ) -> None:
        super().__init__(registry, name)
        self._root = root

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    @property
    def registry(self) -> Registry:
        """The names of the tree."""
        return self._registry

    def ref(self) -> Ref[Any]:
        """The supervisor's present incarnation.

        Raises:
            ActorDownError: There is none now.
        """
        return self._root or self._registry.resolve(self.name)

    def handle(self, name: str) -> Handle:
        """A handle on the actor of that name in this tree."""
        return Handle(self._registry, name)

    def which_children(self) -> tuple[ChildStatus, ...]:
        """The children; those of a static list the youngest first, as in OTP."""
        return cast("tuple[ChildStatus, ...]", self.call(GetChildren()))

    def count_children(
        self, timeout: float | None = DEFAULT_CALL_TIMEOUT
    ) -> ChildCounts:
        """How many children there are, by kind and state.

        It goes through the mailbox, so an answer also says that the supervisor works.
        """
        return cast("ChildCounts", self.call(GetCounts(), timeout))

    async def acount_children(
        self, timeout: float | None = DEFAULT_CALL_TIMEOUT
    ) -> ChildCounts:
        """The same for coroutines."""
        return cast("ChildCounts", await self.acall(GetCounts(), timeout))

    def stop(
        self, timeout: float | None = None, *, reason: ExitReason = SHUTDOWN
    ) -> ExitReason | None:
        """Stop what is below and itself, ahead of the calls that wait.

        Args:
            timeout: Seconds to wait for that; `None` waits until it is done.
            reason: What the supervisor ends with; its children see `shutdown`.

        Returns:
            The reason it ended with, or `None` after `timeout`.
        """
        ref = self.ref()
        ref.shutdown(reason)
        return ref.wait(timeout)


class Supervisor(AnySupervisor):
    """A supervisor of a list of children: OTP's `supervisor`.

    Example:
        >>> from supervisors import Actor, ChildSpec, Supervisor
        >>> class Echo(Actor):
        ...     def on_receive(self, message):
        ...         return message
        >>> echo = ChildSpec(id="echo", actor=Echo, name="echo")
        >>> with Supervisor.start([echo]) as top:
        ...     top.handle("echo").call("hello")
        'hello'
    """

    @classmethod
    def start(
        cls,
        children: Sequence[ChildSpec] = (),
        *,
        strategy: Strategy = Strategy.ONE_FOR_ONE,
        intensity: Intensity | None = None,
        auto_shutdown: AutoShutdown = "never",
        precise: bool = False,
        max_zombies: int = MAX_ZOMBIES,
        registry: Registry | None = None,
        events: Events | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> Self:
        """Start a tree of its own and wait until all children have started.

        When it gives up, every waiting and later call to a name in it raises
        `RestartLimitError` with the chain of causes; nothing starts anew in silence.

        Args:
            children: In start order.
            strategy: Which children a restart takes along.
            intensity: How many restarts are allowed; `None` is one in five seconds.
            auto_shutdown: Whether ends of significant children end the supervisor.
            precise: Whether restarts are counted in real seconds, not in whole ones.
            max_zombies: Dead children whose threads may still run.
            registry: The tree's names; its own by default.
            events: Where the tree's events go; its own by default.
            clock: The tree's time.

        Raises:
            ConfigError: The specs make no sense, or the registry has a tree already;
                nothing was started.
            StartError: A child did not start; those before it were stopped again.
        """
        actor = SupervisorActor(
            children,
            strategy=strategy,
            intensity=intensity,
            auto_shutdown=auto_shutdown,
            precise=precise,
            max_zombies=max_zombies,
        )
        return cls.start_root(actor, registry=registry, events=events, clock=clock)

    @classmethod
    def start_root(
        cls,
        actor: SupervisorActor,
        *,
        registry: Registry | None = None,
        events: Events | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> Self:
        """Start a supervisor actor of your own class as the root of a tree.

        Raises:
            The same errors as `start`.
        """
        root = start_root(actor, registry=registry, events=events, clock=clock)
        return cls(actor.surroundings.registry, ROOT, root)

    def start_child(self, spec: ChildSpec, timeout: float | None = None) -> Any:
        """Add a child and start it; its `Ref`, or `None` when it ignored the start.

        Raises:
            ChildStateError: The id is taken (`.state` says how).
            StartError: It did not start; the spec is not kept.
        """
        return self.call(AddChild(spec=spec), timeout)

    def terminate_child(self, child_id: str, timeout: float | None = None) -> None:
        """Stop a child and keep its spec, unless it is temporary.

        Raises:
            ChildNotFoundError: There is none with that id.
        """
        self.call(TerminateChild(child=child_id), timeout)

    def restart_child(self, child_id: str, timeout: float | None = None) -> Any:
        """Start a child that is down; its `Ref`, or `None` when it ignored the start.

        Raises:
            ChildNotFoundError: There is none with that id.
            ChildStateError: It is running or being restarted.
            StartError: It did not start; the spec is kept.
        """
        return self.call(RestartChild(child_id=child_id), timeout)

    def delete_child(self, child_id: str, timeout: float | None = None) -> None:
        """Forget a child that is down.

        Raises:
            ChildNotFoundError: There is none with that id.
            ChildStateError: It is running or being restarted.
        """
        self.call(DeleteChild(child_id=child_id), timeout)

    def get_childspec(self, child_id: str) -> ChildSpec:
        """The spec of a child, running or not.

        Raises:
            ChildNotFoundError: There is none with that id.
        """
        return cast("ChildSpec", self.call(GetChildSpec(child_id=child_id)))
