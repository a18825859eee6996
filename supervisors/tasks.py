"""Short-lived actors that each run one function: Elixir's `Task.Supervisor`."""

from __future__ import annotations

import contextvars
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from supervisors._future import ReplyFuture
from supervisors._messages import AddChild
from supervisors._waiting import await_reply
from supervisors.actor import Actor
from supervisors.child_spec import ChildSpec, Restart
from supervisors.errors import CallTimeoutError
from supervisors.exits import KILLED, ExitReason
from supervisors.ref import Ref
from supervisors.registry import Registry
from supervisors.scope import Scope, within
from supervisors.supervisor import Supervisor

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Run:
    """Do the work now. Cast to oneself, so that the start is acknowledged first."""


class TaskActor(Actor):
    """Runs one function in a copy of its starter's context, then ends `normal`.

    What the function raises is the task's exit reason.
    """

    def __init__(
        self,
        work: Callable[[], Any],
        result: ReplyFuture[Any],
        scope: Scope,
        context: contextvars.Context,
    ) -> None:
        super().__init__()
        self._work = work
        self._result = result
        self._scope = scope
        self._context = context
        # However the task ends, whoever waits for its result is told.
        self.life.before_end(self._give_up_work)

    def on_start(self) -> None:
        """Acknowledge the start; the work comes next."""
        self.actor_ref.cast(_Run())

    def on_receive(self, message: object) -> None:
        """Do the work."""
        if not isinstance(message, _Run):
            super().on_receive(message)
            return
        try:
            value = self._context.run(self._in_scope)
        except BaseException as error:
            self._result.reject(error)
            raise
        self._result.resolve(value)
        self.exit()

    def _in_scope(self) -> Any:
        with within(self._scope):
            return self._work()

    def _give_up_work(self, reason: ExitReason) -> None:
        if not self._result.done():
            self._scope.cancel("its task was ended")
            self._result.reject(self.life.error(reason))


class Task(Generic[T]):
    """One running function."""

    def __init__(self, actor_ref: Ref[Any], result: ReplyFuture[T], scope: Scope):
        self.ref = actor_ref
        self.scope = scope
        self._result = result

    def get(self, timeout: float | None = None) -> T:
        """Wait for the function's value, or raise what it raised.

        Raises:
            ActorDownError: The task was ended before it had a value.
            CallTimeoutError: It is not done after `timeout` seconds. It goes on, and
                may be waited for again.
        """
        if not self._result.wait(timeout):
            msg = f"the task {self.ref.life.label!r} is not done after {timeout:g} s"
            raise CallTimeoutError(msg)
        return cast("T", await_reply(self._result, 0, self.ref.life))

    def cancel(self, why: str = "it was cancelled") -> None:
        """Give the task up: its calls are refused and its result is an error now."""
        self.scope.cancel(why)
        self.ref.kill(KILLED)

    def wait(self, timeout: float | None = None) -> ExitReason | None:
        """Wait for the task's end; its reason, or `None` after `timeout` seconds."""
        return self.ref.wait(timeout)


class TaskSupervisor(Supervisor):
    """A handle on a `DynamicSupervisorActor` whose children are tasks."""

    def __init__(
        self, registry: Registry, name: str, root: Ref[Any] | None = None
    ) -> None:
        super().__init__(registry, name, root)
        self._numbers = itertools.count(1)

    def start_task(self, work: Callable[[], T], *, label: str = "task") -> Task[T]:
        """Run `work` on a thread that is used again, in a copy of this context."""
        scope = Scope(label)
        result: ReplyFuture[T] = ReplyFuture()
        spec = ChildSpec(
            id=f"{label} {next(self._numbers)}",
            actor=TaskActor,
            args=(work, result, scope, contextvars.copy_context()),
            restart=Restart.TEMPORARY,
        )
        ref = self.call(AddChild(spec=spec), timeout=None)
        return Task(ref, result, scope)
