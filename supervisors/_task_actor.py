"""The actor that runs one function, and its life."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from supervisors import _census
from supervisors._callbacks import reason_of
from supervisors._current import enter
from supervisors._future import ReplyFuture
from supervisors._inject import Injection
from supervisors._launch import begin
from supervisors._life import Life
from supervisors._roll import Roll
from supervisors.actor import Actor
from supervisors.errors import ActorDownError, ScopeCancelledError
from supervisors.events import CHILD_ABANDONED, CHILD_EXIT, CHILD_START
from supervisors.exits import NO_PROCESS, NORMAL, ExitReason
from supervisors.ref import Ref
from supervisors.scope import Scope, check_scopes, current_scopes, work_only_in

if TYPE_CHECKING:
    from supervisors._mailbox import Mailbox


class _NoValue:
    """The type of `NO_VALUE`."""

    def __repr__(self) -> str:
        return "NO_VALUE"


NO_VALUE = _NoValue()
"""What a task has that has not finished."""

# A task has no `on_start`: it counts as started when it is given to a thread.
_STARTED: ReplyFuture[None] = ReplyFuture()
_STARTED.resolve(None)


class TaskLife(Life):
    """The life of a task: its value comes before its end."""

    __slots__ = ("home", "injection", "value")

    def __init__(self, label: str, inbox: Mailbox) -> None:
        super().__init__(label, inbox, _STARTED)
        # Void only once the task is dead: one that is asked to stop may still speak.
        self.scope.voids = False
        self.value: Any = NO_VALUE
        """What the function returned; counts only with the reason `normal`."""
        self.home: Roll | None = None
        """The roll of the supervisor it runs under, if any."""
        self.injection: Injection | None = None
        """How to throw an exception into its thread, if that was asked for."""

    def shut_down(self, reason: ExitReason) -> None:
        """Refuse its calls from now on, and let it come to its end."""
        super().shut_down(reason)
        self.scope.cancel("its task was asked to stop")

    def _call_attention(self) -> None:
        """Wake whoever suspended it; nobody else waits, as nobody reads the mailbox."""
        if self._pauses:
            super()._call_attention()

    def void(self, reason: ExitReason) -> None:
        """End the task although its function may go on."""
        self.scope.voids = True
        super().void(reason)
        if self.injection is not None:
            self.injection.throw()
        if self.home is not None:
            self._note_zombie(self.home)

    def let_go(self) -> None:
        """Hold nothing of the actor: freed now, it need not wait for a collection.

        Whoever needs the ref of a task that has ended holds it.
        """
        self.on_signal = None
        self._before_end = []
        del self.ref

    def _note_zombie(self, home: Roll) -> None:
        count, here = home.note_zombie(self), home.surroundings
        if count and here is not None:
            thread = None if self.thread is None else self.thread.name
            here.events.emit(
                CHILD_ABANDONED,
                {"zombies": count},
                path=here.path,
                child_id=self.label,
                thread=thread,
            )

    def strike_off(self, reason: ExitReason) -> None:
        """Leave the roll: whoever hears of the end finds the place free."""
        home = self.home
        if home is None:
            return
        home.leave(self)
        here = home.surroundings
        if here is not None:
            here.events.emit(
                CHILD_EXIT, path=here.path, child_id=self.label, reason=reason
            )


class TaskActor(Actor):
    """Runs one function and ends: `normal`, or with what the function raised.

    It handles no message. It can be watched, linked, shut down and killed like any
    actor. Asked to stop it refuses the calls its function makes, which is all that can
    be done to a thread; the function decides when it returns.
    """

    life: TaskLife

    def __init__(
        self,
        work: Callable[[], Any],
        *,
        label: str = "task",
        scopes: tuple[Scope, ...] = (),
        context: contextvars.Context | None = None,
    ) -> None:
        """Prepare the run.

        Args:
            work: The function.
            label: What errors and pictures call it.
            scopes: What the work belongs to besides the task itself.
            context: The context to run in, copied at each start; `None` is a copy of
                that of whoever starts the actor.
        """
        self._label = label
        self._work = work
        self._scopes = scopes
        self._context = context
        super().__init__()

    def _make_life(self) -> Life:
        return TaskLife(self._label, self.actor_inbox)

    def run_here(self) -> None:
        """Live and end on the calling thread, which has just made this actor.

        What it raises is its exit reason; nothing comes out here.
        """
        _census.joined(self.life)
        self._actor_loop()

    def _actor_loop(self) -> None:
        life = self.life
        life.thread = threading.current_thread()
        life.entered = True
        enter(life)
        try:
            if not life.over():
                self._run()
        finally:
            enter(None)
            life.leave_thread()
            _census.ended(life)
            life.let_go()

    def _run(self) -> None:
        life = self.life
        life.started_at = life.clock.monotonic()
        reason: ExitReason = NORMAL
        try:
            if self._context is None:
                life.value = self._in_scopes()
            else:
                life.value = self._context.copy().run(self._in_scopes)
        except BaseException as error:  # noqa: BLE001 - becomes the exit reason
            reason = self._reason_of(error)
        if life.end(reason):
            self._report_crash(reason)

    def _in_scopes(self) -> Any:
        life = self.life
        work_only_in(*self._scopes, life.scope)
        if life.injection is None:
            return self._work()
        return life.injection.run(self._work)

    def _reason_of(self, error: BaseException) -> ExitReason:
        asked = self.life.stop_wanted()
        if asked is not None and isinstance(error, ScopeCancelledError):
            # The refusal of a call is how it heard that it should stop.
            return asked
        return reason_of(error)


def begin_task(
    work: Callable[[], Any],
    label: str,
    home: Roll | None = None,
    *,
    linked: Life | None = None,
    deadline: float | None = None,
    told: Callable[[ReplyFuture[ExitReason]], object] | None = None,
) -> Ref[TaskActor]:
    """Start a task from the thread of whoever wants it; nobody is asked.

    It runs in a copy of this thread's context, and the scopes around this call hold for
    it.

    Args:
        work: The function.
        label: What errors and pictures call it.
        home: The roll of its supervisor; `None` is none.
        linked: Whose life is tied to the task's.
        deadline: When its calls stop waiting, on the machine's monotonic clock.
        told: Called with its end, in the thread that ends it.

    Raises:
        ActorDownError: The supervisor has ended.
        ChildStateError: It runs as many as it may.
        ScopeCancelledError: The work this call belongs to was given up.
        StartError: The program is ending, or has no thread left.
    """
    scopes = current_scopes()
    check_scopes(scopes)
    actor = TaskActor(work, label=label, scopes=scopes)
    life = actor.life
    life.scope.deadline = deadline
    if told is not None:
        life.ended.on_done(told)
    if home is not None:
        move_in(life, home)
    if linked is not None and not life.link(linked):
        life.end(NO_PROCESS)
        raise linked.error(NO_PROCESS)
    begin(actor)
    return actor.actor_ref


def move_in(life: TaskLife, home: Roll) -> None:
    """Enter a task into the roll of its supervisor.

    Raises:
        ActorDownError: The supervisor has ended.
        ChildStateError: It runs as many as it may.
        StartError: So many that were given up go on in their threads.
    """
    if not home.enter(life):
        raise ActorDownError(life.label, NO_PROCESS)
    life.home = home
    life.before_end(life.strike_off)
    if home.injects:
        life.injection = Injection()
    here = home.surroundings
    if here is not None:
        life.path = (*here.path, life.label)
        here.events.emit(CHILD_START, path=here.path, child_id=life.label, ref=life.ref)
