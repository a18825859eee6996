"""The supervisor actor of a static list of children: OTP's `supervisor`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from supervisors._decide import AutoShutdown, Machine
from supervisors._effects import ChildCounts, ChildStatus
from supervisors._messages import (
    AddChild,
    DeleteChild,
    GetChildSpec,
    RestartChild,
    TerminateChild,
)
from supervisors._supervising import MAX_ZOMBIES, SupervisingActor
from supervisors.child_spec import ChildSpec, Intensity, Strategy


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisorOptions:
    """What a supervisor is made of: OTP's flags and child specs."""

    children: tuple[ChildSpec, ...] = ()
    """In start order."""
    strategy: Strategy = Strategy.ONE_FOR_ONE
    """Which children a restart takes along."""
    intensity: Intensity | None = None
    """How many restarts are allowed; `None` is one in five seconds, as in OTP."""
    auto_shutdown: AutoShutdown = "never"
    """Whether the end of significant children ends the supervisor."""
    precise: bool = False
    """Whether restarts are counted in real seconds, not in OTP's whole ones."""


class SupervisorActor(SupervisingActor):
    """Starts its children in order and restarts them by OTP's rules.

    A subclass may compute its options anew at each start: see `init`.
    """

    def __init__(
        self,
        children: Iterable[ChildSpec] = (),
        *,
        strategy: Strategy = Strategy.ONE_FOR_ONE,
        intensity: Intensity | None = None,
        auto_shutdown: AutoShutdown = "never",
        precise: bool = False,
        max_zombies: int = MAX_ZOMBIES,
    ) -> None:
        """Check the specs; nothing starts yet.

        Raises:
            ConfigError: Two children share an id, or one is significant under a
                supervisor that never shuts down automatically.
        """
        super().__init__(max_zombies=max_zombies)
        self._options = SupervisorOptions(
            children=tuple(children),
            strategy=strategy,
            intensity=intensity,
            auto_shutdown=auto_shutdown,
            precise=precise,
        )
        self._machine = _machine(self._options)

    def init(self) -> SupervisorOptions:
        """Say what this supervisor is made of: OTP's `init/1`.

        Called at each start, in the supervisor's thread; the default returns what the
        constructor was given. It may raise `Ignore` or `Stop`.
        """
        return self._options

    def on_start(self) -> None:
        """Start the children in order, or fail with the first that fails.

        Raises:
            ConfigError: The options that `init` returned make no sense.
        """
        options = self.init()
        if options is not self._options:
            self._machine = _machine(options)
        super().on_start()

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
            case RestartChild():
                return self._answer(
                    self._drive(self._machine.restart_child(message.child_id))
                )
            case DeleteChild():
                return self._answer(
                    self._drive(self._machine.delete_child(message.child_id))
                )
            case GetChildSpec():
                return self._spec_or_refusal(self._machine.spec_of(message.child_id))
            case _:
                return super().on_receive(message)

    def _counts(self) -> ChildCounts:
        # A static list is asked child by child, as in OTP.
        counts: ChildCounts = self._machine.count_children(lambda ref: ref.is_alive())
        return counts

    def _in_start_order(self) -> tuple[ChildStatus, ...]:
        return super()._in_start_order()[::-1]


def _machine(options: SupervisorOptions) -> Machine:
    return Machine(
        options.children,
        options.strategy,
        options.intensity,
        options.auto_shutdown,
        precise=options.precise,
    )
