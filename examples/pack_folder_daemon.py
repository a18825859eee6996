"""A daemon that packs the files somebody puts into a folder, whatever dies meanwhile.

    python pack_folder_daemon.py FOLDER

Each file in FOLDER/in is compressed into FOLDER/out and taken away; one that cannot be
packed five times in a row goes to FOLDER/failed. Names that begin with a dot are left
alone, so write `.report` and rename it to `report` when it is complete.

It is built on `supervisors` alone, and this is its tree:

    root            rest_for_one: a new desk begins with an empty table
    ├─ chaos        with --chaos only: kills, crashes and hangs the others
    ├─ desk         knows which files wait and which are being packed
    ├─ jobs         one process of the operating system for each file in work
    └─ watcher      looks into the folder

The folder is the only memory that counts. Whatever dies, `kill -9` of the daemon
included, a file is either still in `in` or whole in `out`.

SIGTERM and Ctrl-C stop the tree in order, and the exit code is 0. SIGUSR1 prints the
tree. What happens is told on standard error, one JSON object a line.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import queue
import random
import signal
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, assert_never

import structlog
from supervisors import (
    Actor,
    ActorDownError,
    Backoff,
    CallTimeoutError,
    ChildSpec,
    DynamicSupervisor,
    DynamicSupervisorActor,
    Event,
    Events,
    ExitReason,
    Failed,
    Handle,
    Intensity,
    Normal,
    ProcessActor,
    ProcessSpec,
    Restart,
    StartError,
    Stop,
    Strategy,
    Supervisor,
    draw,
    snapshot,
)

ATTEMPTS = 5
"""How often a file is tried before it goes to `failed`."""

PACK = """
import gzip, os, shutil, sys
source, target = sys.argv[1:]
with open(source, "rb") as plain, gzip.open(target + ".part", "wb") as packed:
    shutil.copyfileobj(plain, packed)
os.replace(target + ".part", target)
os.unlink(source)
"""
"""Packs one file. It may be ended at any line, and run again from the first."""

log = structlog.get_logger()


# Packing one file: a job.


@dataclass(frozen=True, slots=True)
class GetProcessId:
    """Which process packs the file? Called; the reply is an `int`."""


@dataclass(frozen=True, slots=True)
class TooLong:
    """The time of this job is over. Sent by its timer."""


class Job(ProcessActor):
    """Packs one file in a process of its own, within a time limit."""

    def __init__(self, name: str, argv: tuple[str, ...], limit: float) -> None:
        super().__init__(ProcessSpec(argv=argv))
        self._name = name
        self._limit = limit

    def on_start(self) -> None:
        super().on_start()
        self.send_after(self._limit, TooLong())
        log.info("packing", file=self._name, process=self.pid)

    def on_receive(self, message: object) -> Any:
        match message:
            case GetProcessId():
                return self.pid
            case TooLong():
                raise Stop(Failed(f"not packed within {self._limit:g} s"))
            case _:
                return super().on_receive(message)


# The desk: which files wait, and which are being packed.


@dataclass(frozen=True, slots=True)
class Found:
    """These files are there. Cast by the watcher, at each look all of them."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class JobEnded:
    """The job of a file is over. Cast when it ends."""

    name: str
    reason: ExitReason


@dataclass(frozen=True, slots=True)
class Crash:
    """Crash. Cast by `chaos`."""


class Desk(Actor):
    """Hands files out to jobs, a few at a time, and judges how each job ended."""

    def __init__(self, options: Options, attempts: dict[str, int]) -> None:
        super().__init__()
        self._options = options
        # From the spec, so the next incarnation goes on counting.
        self._attempts = attempts
        self._waiting: dict[str, None] = {}
        self._in_work: set[str] = set()

    def on_start(self) -> None:
        self._jobs = DynamicSupervisor(self.surroundings.registry, "jobs")

    def on_receive(self, message: Found | JobEnded | Crash) -> None:
        match message:
            case Found(names):
                self._waiting |= dict.fromkeys(set(names) - self._in_work)
            case JobEnded(name, reason):
                self._in_work.discard(name)
                self._judge(name, reason)
            case Crash():
                msg = "chaos"
                raise RuntimeError(msg)
            case _:
                assert_never(message)
        self._hand_out()

    def _judge(self, name: str, reason: ExitReason) -> None:
        match reason:
            case Normal():
                self._attempts.pop(name, None)
                log.info("packed", file=name)
            case Failed():
                self._try_again(name, reason)
            case _:
                # Ended by the tree, which is not the file's fault.
                self._waiting[name] = None

    def _try_again(self, name: str, reason: ExitReason) -> None:
        self._attempts[name] = failures = self._attempts.get(name, 0) + 1
        log.warning("not packed", file=name, failures=failures, reason=str(reason))
        if failures < ATTEMPTS:
            self._waiting[name] = None
            return
        del self._attempts[name]
        with contextlib.suppress(FileNotFoundError):
            self._options.inbox.joinpath(name).rename(self._options.failed / name)

    def _hand_out(self) -> None:
        while self._waiting and len(self._in_work) < self._options.jobs:
            name = next(iter(self._waiting))
            del self._waiting[name]
            # The watcher may have seen it just before it was taken away.
            if os.path.lexists(self._options.inbox / name):
                self._begin(name)

    def _begin(self, name: str) -> None:
        try:
            job = self._jobs.start_child(self._job_for(name), timeout=30.0)
        except StartError as error:
            self._try_again(name, error.reason)
        except ActorDownError:
            # `jobs` is being restarted. The next look of the watcher comes after that.
            return
        else:
            self._in_work.add(name)
            me = self.actor_ref
            # Unlike a `Down`, this tells the reason also when the job is over already.
            job.monitor(lambda reason: me.cast(JobEnded(name, reason)))

    def _job_for(self, name: str) -> ChildSpec:
        source, target = self._options.inbox / name, self._options.out / f"{name}.gz"
        command = (sys.executable, "-I", "-S", "-c", PACK, str(source), str(target))
        return ChildSpec(
            id=name,
            actor=Job,
            args=(name, command, self._options.job_limit),
            restart=Restart.TEMPORARY,
        )


# The watcher.


@dataclass(frozen=True, slots=True)
class Look:
    """Look into the folder. Sent by a timer."""


@dataclass(frozen=True, slots=True)
class Hang:
    """Do not come back for a while, as a dead network drive makes one. Cast."""

    seconds: float


class Watcher(Actor):
    """Tells the desk again and again which files there are."""

    def __init__(self, options: Options) -> None:
        super().__init__()
        self._options = options

    def on_start(self) -> None:
        self._desk = Handle(self.surroundings.registry, "desk")
        self.send_after(0.0, Look())

    def on_receive(self, message: Look | Hang | Crash) -> None:
        match message:
            case Look():
                self._look()
                self.send_after(self._options.interval, Look())
            case Hang(seconds):
                threading.Event().wait(seconds)
            case Crash():
                msg = "chaos"
                raise RuntimeError(msg)
            case _:
                assert_never(message)

    def _look(self) -> None:
        with os.scandir(self._options.inbox) as entries:
            names = sorted(
                entry.name
                for entry in entries
                if not entry.name.startswith(".") and not entry.is_dir()
            )
        if names:
            self._desk.cast(Found(tuple(names)))


# Chaos.


@dataclass(frozen=True, slots=True)
class Strike:
    """Break something. Sent by a timer."""


class Chaos(Actor):
    """Breaks one of the others, time and again."""

    def __init__(self, options: Options, every: float, dice: random.Random) -> None:
        super().__init__()
        self._options = options
        self._every = every
        self._dice = dice

    def on_start(self) -> None:
        self.send_after(self._every, Strike())

    def on_receive(self, message: Strike) -> None:
        del message
        self.send_after(self._every, Strike())
        registry = self.surroundings.registry
        deed = self._dice.choice(("kill", "crash desk", "crash watcher", "hang"))
        log.info("chaos", deed=deed)
        match deed:
            case "kill":
                self._kill_a_process()
            case "crash desk":
                Handle(registry, "desk").cast(Crash())
            case "crash watcher":
                Handle(registry, "watcher").cast(Crash())
            case _:
                seconds = 3 * self._options.hang_after
                Handle(registry, "watcher").cast(Hang(seconds))

    def _kill_a_process(self) -> None:
        jobs = DynamicSupervisor(self.surroundings.registry, "jobs")
        # Whom we are about to kill may be dead already.
        with contextlib.suppress(ActorDownError, CallTimeoutError, ProcessLookupError):
            running = [job.ref for job in jobs.which_children() if job.ref]
            if running:
                process = self._dice.choice(running).call(GetProcessId(), timeout=1.0)
                os.kill(process, signal.SIGKILL)


# The program.


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line says."""

    folder: Path
    jobs: int
    interval: float
    job_limit: float
    hang_after: float
    chaos: float | None
    seed: int

    @property
    def inbox(self) -> Path:
        """Where files are put."""
        return self.folder / "in"

    @property
    def out(self) -> Path:
        """Where they are found again, packed."""
        return self.folder / "out"

    @property
    def failed(self) -> Path:
        """Where those are that could not be packed."""
        return self.folder / "failed"


def children(options: Options) -> list[ChildSpec]:
    """The parts of the tree, in start order."""
    parts = [
        ChildSpec(id="desk", name="desk", actor=Desk, args=(options, {})),
        ChildSpec(
            id="jobs",
            name="jobs",
            kind="supervisor",
            actor=DynamicSupervisorActor,
            kwargs={"max_children": options.jobs},
        ),
        ChildSpec(
            id="watcher",
            name="watcher",
            actor=Watcher,
            args=(options,),
            # The folder may be away for a while, or not answer.
            backoff=Backoff(initial=0.1, maximum=2.0),
            hang_after=options.hang_after,
        ),
    ]
    if options.chaos is not None:
        dice = random.Random(options.seed)  # noqa: S311 - which part dies is no secret
        args = (options, options.chaos, dice)
        # First, so that no restart takes it along.
        parts.insert(0, ChildSpec(id="chaos", actor=Chaos, args=args))
    return parts


def start(options: Options) -> Supervisor:
    """Start the tree, with its events in the log."""
    events = Events()
    events.attach(tell)
    # Chaos may strike as often as it likes; all else is held to ten in a minute.
    strikes = 0 if options.chaos is None else int(60.0 / options.chaos)
    return Supervisor.start(
        children(options),
        strategy=Strategy.REST_FOR_ONE,
        intensity=Intensity(max_restarts=10 + strikes, within=60.0),
        events=events,
    )


def tell(event: Event) -> None:
    """Log an event of the tree."""
    facts = {key: str(value) for key, value in event.metadata.items() if key != "ref"}
    facts["path"] = "/".join(event.metadata.get("path", ()))
    log.info(".".join(event.name[1:]), **facts, **event.measurements)


def run(options: Options) -> int:
    """Pack until a signal comes, and return the exit code."""
    for place in (options.inbox, options.out, options.failed):
        place.mkdir(parents=True, exist_ok=True)
    # What a signal's handler may do safely is to put its number into this queue.
    news: queue.SimpleQueue[int | ExitReason] = queue.SimpleQueue()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
        signal.signal(number, lambda number, _frame: news.put(number))
    top = start(options)
    top.ref().monitor(news.put)
    log.info("ready", process=os.getpid())
    while True:
        match news.get():
            case signal.SIGUSR1:
                print(draw(snapshot(top)), flush=True)
            case int():
                log.info("stopped", reason=str(top.stop()))
                return 0
            case reason:
                log.error("gave up", reason=str(reason), why=str(top.registry.closed))
                return 1


def main() -> int:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description="Packs files put into FOLDER/in.")
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--interval", type=float, default=1.0, help="between two looks")
    parser.add_argument("--job-limit", type=float, default=600.0, help="for one file")
    parser.add_argument("--hang-after", type=float, default=30.0, help="for one look")
    parser.add_argument("--chaos", type=float, help="break a part so often, in seconds")
    parser.add_argument("--seed", type=int, default=0, help="of the chaos")
    options = Options(**vars(parser.parse_args()))
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    return run(options)


if __name__ == "__main__":
    sys.exit(main())
