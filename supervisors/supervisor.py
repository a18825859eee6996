"""The supervisor, as the rest of a program holds it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self, cast

from supervisors._decide import (
    AutoShutdown,
)
from supervisors._effects import (
    ChildCounts,
    ChildStatus,
)
from supervisors._life import Life
from supervisors._messages import (
    AddChild,
    DeleteChild,
    GetChildren,
    GetCounts,
    RestartChild,
    TerminateChild,
)
from supervisors.actor import Surroundings, launch
from supervisors.child_spec import ChildSpec, Intensity, Strategy
from supervisors.clock import SYSTEM_CLOCK, Clock
from supervisors.errors import (
    ActorDownError,
    AlreadyRegisteredError,
    ConfigError,
)
from supervisors.events import Events
from supervisors.exits import (
    ExitReason,
)
from supervisors.handle import Handle
from supervisors.ref import Ref
from supervisors.registry import Registry
from supervisors.supervisor_actor import SupervisorActor, limit_error, root_cause


class Supervisor(Handle):
    """A supervisor, as the rest of a program holds it.

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

    ROOT = "root"
    """The name of a tree's topmost supervisor in its own registry."""

    @classmethod
    def start(
        cls,
        children: Sequence[ChildSpec] = (),
        *,
        strategy: Strategy = Strategy.ONE_FOR_ONE,
        intensity: Intensity | None = None,
        auto_shutdown: AutoShutdown = "never",
        registry: Registry | None = None,
        events: Events | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> Supervisor:
        """Start a tree of its own and wait until all children have started.

        When it gives up, every waiting and later call to a name in it raises
        `RestartLimitError` with the chain of causes; nothing starts anew in silence.

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
        )
        names = registry or Registry()
        actor.life.label = cls.ROOT
        actor.surroundings = Surroundings(
            registry=names, events=events or Events(), clock=clock
        )
        root = actor.actor_ref
        # Ahead of the registry's own step, so that nobody finds the root's name gone
        # without the reason.
        root.life.before_end(lambda reason: names.close(_over(root.life, reason)))
        _claim(names, root)
        launch(actor, timeout=None)
        return cls(names, cls.ROOT, root)

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
        """The supervisor's present incarnation."""
        return self._root or self._registry.resolve(self.name)

    def handle(self, name: str) -> Handle:
        """A handle on the actor of that name in this tree."""
        return Handle(self._registry, name)

    def start_child(self, spec: ChildSpec, timeout: float | None = None) -> Any:
        """Add a child and start it; its `Ref`, or `None` when it ignored the start.

        Raises:
            ChildStateError: The id is taken (`.state` says how).
            StartError: It did not start; the spec is not kept.
        """
        return self.call(AddChild(spec=spec), timeout)

    def terminate_child(self, child_id: str, timeout: float | None = None) -> None:
        """Stop a child and keep its spec.

        Raises:
            ChildNotFoundError: There is none with that id.
        """
        self.call(TerminateChild(child_id=child_id), timeout)

    def restart_child(self, child_id: str, timeout: float | None = None) -> Any:
        """Start a child that is down; its `Ref`.

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

    def which_children(self) -> tuple[ChildStatus, ...]:
        """The children, the youngest first, as OTP lists them."""
        return cast("tuple[ChildStatus, ...]", self.call(GetChildren()))

    def count_children(self) -> ChildCounts:
        """How many children there are, by kind and state."""
        return cast("ChildCounts", self.call(GetCounts()))

    def stop(self, timeout: float | None = None) -> ExitReason | None:
        """Stop what is below and itself; the reason, or `None` after `timeout`."""
        ref = self.ref()
        ref.shutdown()
        return ref.wait(timeout)


def _claim(names: Registry, root: Ref[Any]) -> None:
    """Make a registry the one of this tree.

    Raises:
        ConfigError: It cannot be.
    """
    if not names.unique:
        msg = (
            "the registry has duplicate keys, and a name in a tree has one actor. "
            "Pass a Registry with unique keys, or leave it out."
        )
        raise ConfigError(msg)
    try:
        names.register(Supervisor.ROOT, root)
    except (AlreadyRegisteredError, ActorDownError) as error:
        msg = (
            "the registry belongs to another tree, which runs or is over; a tree "
            "has one of its own. Pass a new Registry, or leave it out."
        )
        raise ConfigError(msg) from error


def _over(root: Life, reason: ExitReason) -> ActorDownError:
    """What callers in a tree get when it is over."""
    if root.gave_up is not None:
        return limit_error(Supervisor.ROOT, root)
    error = ActorDownError(Supervisor.ROOT, reason)
    error.__cause__ = root_cause(reason)
    return error
