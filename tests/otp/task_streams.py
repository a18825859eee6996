"""Plays the recorded stream cases on our tasks, without sleeping.

A recorded `sleep` becomes an order of events: from the case alone it is known who runs
at a time, who is done first and who is overdue. The player waits until those who should
run do run, winds the clock to the next moment, and lets go who is done then.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from supervisors import (
    Actor,
    ActorDownError,
    CallTimeoutError,
    Crashed,
    Exit,
    ExitReason,
    Failed,
    Ok,
    Stop,
    Supervisor,
    TaskStream,
    TaskSupervisor,
    stream,
)
from supervisors._current import current_life
from supervisors._life import Life
from supervisors.exits import NORMAL
from supervisors.testing import ManualClock, Probe
from tests.supervisors.actors.parts import WAIT, running

Case = dict[str, Any]

SLOTS = 4
"""What stands for the recorder's number of processors, where a case has no limit."""


@dataclass(frozen=True)
class Moment:
    """One step of a case: these run, the clock is wound, one is let go or overdue."""

    at: float
    running: tuple[int, ...]
    done: int | None


def moments(case: Case) -> Iterator[Moment]:
    """What happens in a case, in order."""
    tasks, opts = case["tasks"], case["opts"]
    slots = opts.get("max_concurrency", SLOTS)
    timeout = opts.get("timeout", 5_000)
    now = 0.0
    waiting = iter(range(len(tasks)))
    ends: dict[int, float] = {}
    overdue: dict[int, bool] = {}
    while True:
        for position in itertools.islice(waiting, slots - len(ends)):
            sleep = tasks[position].get("sleep", 0)
            overdue[position] = sleep > timeout
            ends[position] = now + min(sleep, timeout)
        if not ends:
            return
        position = min(ends, key=lambda number: ends[number])
        now = ends[position]
        yield Moment(now / 1000, tuple(ends), None if overdue[position] else position)
        del ends[position]


@dataclass
class Stage:
    """The tasks of one case while it is played."""

    case: Case
    lives: dict[int, Life] = field(default_factory=dict)
    now_running: int = 0
    most_running: int = 0

    def __post_init__(self) -> None:
        count = len(self.case["tasks"])
        self.lock = threading.Lock()
        self.entered = [threading.Event() for _ in range(count)]
        self.let_go = [threading.Event() for _ in range(count)]
        self.over = threading.Event()

    def work(self, numbered: tuple[int, dict[str, Any]]) -> Any:
        """What the recorded tasks did."""
        position, task = numbered
        life = current_life()
        assert life is not None
        self.lives[position] = life
        with self.lock:
            self.now_running += 1
            self.most_running = max(self.most_running, self.now_running)
        self.entered[position].set()
        assert self.let_go[position].wait(WAIT)
        with self.lock:
            self.now_running -= 1
        if "exit" in task:
            reason = task["exit"]
            raise Stop(NORMAL if reason == "normal" else Failed(reason))
        if "raise" in task:
            raise RuntimeError(task["raise"])
        return task["value"]

    def play(self, clock: ManualClock) -> None:
        """Let happen what the case says, until its caller is done."""
        for moment in moments(self.case):
            for position in moment.running:
                assert self.entered[position].wait(WAIT)
            if self.over.is_set():
                return
            clock.advance(moment.at - clock.monotonic())
            if moment.done is not None:
                self.let_go[moment.done].set()
                # Its end is noted before the clock is wound again.
                assert self.lives[moment.done].thread_left.wait(WAIT)

    def close(self) -> None:
        """The caller is done: nobody waits any more."""
        self.over.set()
        for event in (*self.entered, *self.let_go):
            event.set()


class Caller(Actor):
    """The process that takes the results of a recorded stream."""

    def __init__(self, results: TaskStream[Any, Any], case: Case, told: Probe) -> None:
        super().__init__()
        self.results = results
        self.case = case
        self.told = told
        self.set_trap_exit(traps=case.get("trap", False))

    def on_receive(self, message: object) -> None:
        taken = itertools.islice(self.results, self.case.get("take"))
        self.told([encoded(result) for result in taken])

    def on_end(self, reason: ExitReason) -> None:
        self.told(reason)


def played(case: Case) -> dict[str, Any]:
    """What our stream does in a recorded case, in the words of the record."""
    clock, stage, told = ManualClock(), Stage(case), Probe()
    with Supervisor.start([TaskSupervisor.child_spec()], clock=clock) as top:
        results = started(case, stage, TaskSupervisor(top.registry, "tasks"), clock)
        with running(Caller, results, case, told) as caller:
            del results
            caller.cast("begin")
            player = threading.Thread(target=stage.play, args=[clock])
            player.start()
            heard = told.expect(WAIT)
            stage.close()
            player.join(WAIT)
    if not isinstance(heard, list):
        return {"caller_exit": caller_exit(heard)}
    if case["opts"].get("ordered") is False:
        heard = sorted(heard, key=repr)
    if case.get("check_max"):
        return {"results": heard, "max_running": stage.most_running}
    return {"results": heard}


def started(
    case: Case, stage: Stage, tasks: TaskSupervisor, clock: ManualClock
) -> TaskStream[Any, Any]:
    """The stream of a case, before its first result is asked for."""
    options = {"max_concurrency": SLOTS} | case["opts"]
    if "timeout" in options:
        options["timeout"] /= 1000
    inputs = enumerate(case["tasks"])
    match case["kind"]:
        case "nolink":
            return tasks.stream(inputs, stage.work, link=False, **options)
        case "sup":
            return tasks.stream(inputs, stage.work, **options)
        case _:
            return stream(inputs, stage.work, clock=clock, **options)


def encoded(outcome: Ok[Any] | Exit) -> dict[str, Any]:
    """A result in the words of the record."""
    if isinstance(outcome, Ok):
        return {"ok": outcome.value}
    if isinstance(outcome.input, tuple):
        return {"exit": [outcome.input[1], word(outcome.reason)]}
    return {"exit": word(outcome.reason)}


def word(reason: ExitReason) -> Any:
    """An exit reason in the words of the record."""
    if isinstance(reason, Failed):
        return reason.term
    if isinstance(reason, Crashed):
        return {"raise": str(reason.exception)}
    return str(reason)


def caller_exit(reason: ExitReason) -> Any:
    """Why a caller ended, in the words of the record.

    Where Erlang exits the caller, Python raises in it: the caller's reason is a crash
    with the error, which says what Erlang's reason says.
    """
    if not isinstance(reason, Crashed):
        return word(reason)
    match reason.exception:
        case CallTimeoutError():
            return "timeout"
        case ActorDownError() as error:
            return word(error.reason)
        case _:
            return word(reason)
