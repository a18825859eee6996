"""Supervisors for children that come and go.

`DynamicSupervisor` is Elixir's: each child has a spec of its own. `SimpleSupervisor` is
OTP's `simple_one_for_one`: all are instances of one template.
"""

from __future__ import annotations

from typing import Any, Self, cast

from supervisors._decide import AutoShutdown
from supervisors._decide_dynamic import DynamicMachine
from supervisors._decide_simple import SimpleMachine
from supervisors._messages import (
    AddChild,
    AddInstance,
    DeleteChild,
    GetChildSpec,
    RestartChild,
    TerminateChild,
)
from supervisors._root import ROOT, start_root
from supervisors._supervising import MAX_ZOMBIES, SupervisingActor
from supervisors.child_spec import ChildSpec, Intensity
from supervisors.clock import SYSTEM_CLOCK, Clock
from supervisors.events import Events
from supervisors.ref import Ref
from supervisors.registry import Registry
from supervisors.supervisor import AnySupervisor


class DynamicSupervisorActor(SupervisingActor):
    """Starts with no children, restarts each on its own, stops all side by side.

    When to use it: children whose number is not known beforehand, such as one worker
    per example. When not: parts that depend on each other's order, or children that are
    to be found by their id.
    """

    def __init__(
        self,
        *,
        intensity: Intensity | None = None,
        max_children: int | None = None,
        precise: bool = False,
        max_zombies: int = MAX_ZOMBIES,
    ) -> None:
        """Start with no children.

        Args:
            intensity: How many restarts are allowed; `None` is one in five seconds.
            max_children: How many children there may be at once, those to be restarted
                included; `None` is any number.
            precise: Whether restarts are counted in real seconds, not in whole ones.
            max_zombies: Dead children whose threads may still run.
        """
        super().__init__(max_zombies=max_zombies)
        self._machine = DynamicMachine(intensity, max_children, precise=precise)

    def on_receive(self, message: object) -> Any:
        """Hand calls about children to the machine."""
        match message:
            case AddChild():
                return self._answer(
                    self._drive(self._machine.start_child(message.spec))
                )
            case TerminateChild():
                return self._answer(
                    self._drive(self._machine.terminate_child(message.child))
                )
            case _:
                return super().on_receive(message)


class DynamicSupervisor(AnySupervisor):
    """A handle on a `DynamicSupervisorActor`: Elixir's `DynamicSupervisor`.

    Example:
        >>> from supervisors import Actor, ChildSpec, Restart
        >>> job = ChildSpec(id="job", actor=Actor, restart=Restart.TEMPORARY)
        >>> with DynamicSupervisor.start() as jobs:
        ...     first, second = jobs.start_child(job), jobs.start_child(job)
        ...     jobs.terminate_child(first)
        ...     jobs.count_children().active
        1
    """

    @classmethod
    def start(
        cls,
        *,
        intensity: Intensity | None = None,
        max_children: int | None = None,
        precise: bool = False,
        max_zombies: int = MAX_ZOMBIES,
        registry: Registry | None = None,
        events: Events | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> Self:
        """Start one as the root of a tree of its own.

        The options are those of its actor; registry, events and clock are the tree's.

        Raises:
            ConfigError: An option makes no sense; nothing was started.
        """
        actor = DynamicSupervisorActor(
            intensity=intensity,
            max_children=max_children,
            precise=precise,
            max_zombies=max_zombies,
        )
        root = start_root(actor, registry=registry, events=events, clock=clock)
        return cls(actor.surroundings.registry, ROOT, root)

    def start_child(self, spec: ChildSpec, timeout: float | None = None) -> Any:
        """Start a child; its `Ref`, or `None` when it ignored the start.

        Raises:
            ChildStateError: There are `max_children` already.
            StartError: It did not start.
        """
        return self.call(AddChild(spec=spec), timeout)

    def terminate_child(self, ref: Ref[Any], timeout: float | None = None) -> None:
        """Stop the child that `ref` runs, and forget it.

        Raises:
            ChildNotFoundError: It runs no child here.
        """
        self.call(TerminateChild(child=ref), timeout)


class SimpleSupervisorActor(SupervisingActor):
    """Any number of children from one template: OTP's `simple_one_for_one`.

    When to use it: a pool of alike children. When not: children that differ in more
    than arguments; `DynamicSupervisorActor` takes a spec for each.
    """

    def __init__(
        self,
        template: ChildSpec,
        *,
        intensity: Intensity | None = None,
        auto_shutdown: AutoShutdown = "never",
        precise: bool = False,
        max_zombies: int = MAX_ZOMBIES,
    ) -> None:
        """Check the template; nothing starts.

        Args:
            template: How each child is started, stopped and restarted.
            intensity: How many restarts are allowed; `None` is one in five seconds.
            auto_shutdown: Whether the end of a significant child ends the supervisor.
            precise: Whether restarts are counted in real seconds, not in whole ones.
            max_zombies: Dead children whose threads may still run.

        Raises:
            ConfigError: The template makes no sense here.
        """
        super().__init__(max_zombies=max_zombies)
        self._machine = SimpleMachine(
            template, intensity, auto_shutdown, precise=precise
        )

    def on_receive(self, message: object) -> Any:
        """Hand calls about children to the machine."""
        machine: SimpleMachine = self._machine
        match message:
            case AddInstance(args=args, kwargs=kwargs):
                return self._answer(self._drive(machine.start_child(args, kwargs)))
            case TerminateChild(child=child):
                return self._answer(
                    self._drive(
                        machine.terminate_child(child, lambda ref: ref.is_alive())
                    )
                )
            case RestartChild(child_id=child_id):
                return self._answer(self._drive(machine.restart_child(child_id)))
            case DeleteChild(child_id=child_id):
                return self._answer(self._drive(machine.delete_child(child_id)))
            case GetChildSpec(child_id=child_id):
                return self._spec_or_refusal(machine.spec_of(child_id))
            case _:
                return super().on_receive(message)


class SimpleSupervisor(AnySupervisor):
    """A handle on a `SimpleSupervisorActor`: OTP's `simple_one_for_one`."""

    @classmethod
    def start(
        cls,
        template: ChildSpec,
        *,
        intensity: Intensity | None = None,
        auto_shutdown: AutoShutdown = "never",
        precise: bool = False,
        max_zombies: int = MAX_ZOMBIES,
        registry: Registry | None = None,
        events: Events | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> Self:
        """Start one as the root of a tree of its own.

        The options are those of its actor; registry, events and clock are the tree's.

        Raises:
            ConfigError: An option makes no sense; nothing was started.
        """
        actor = SimpleSupervisorActor(
            template,
            intensity=intensity,
            auto_shutdown=auto_shutdown,
            precise=precise,
            max_zombies=max_zombies,
        )
        root = start_root(actor, registry=registry, events=events, clock=clock)
        return cls(actor.surroundings.registry, ROOT, root)

    def start_child(self, *args: Any, **kwargs: Any) -> Any:
        """Start an instance of the template, these arguments behind the template's own.

        Returns:
            Its `Ref`, or `None` when it ignored the start.

        Raises:
            StartError: It did not start.
        """
        return self.call(AddInstance(args=args, kwargs=kwargs), timeout=None)

    def terminate_child(self, ref: Ref[Any], timeout: float | None = None) -> None:
        """Stop the child that `ref` runs, and forget it; nothing for a dead one.

        Raises:
            ChildNotFoundError: It lives, and not here.
        """
        self.call(TerminateChild(child=ref), timeout)

    def get_childspec(self, child_id: str) -> ChildSpec:
        """The template.

        Raises:
            ChildNotFoundError: The id is not the template's.
        """
        return cast("ChildSpec", self.call(GetChildSpec(child_id=child_id)))
