"""The child process: does program and metric for one example after another.

It is started fresh and told everything over its socket. Its main thread does the work,
one example at a time; another thread listens, so that calls of models made from several
threads of a program wait side by side. What the program prints is told to the parent,
and written to its own output, too, whose last lines are the evidence if it dies.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import faulthandler
import io
import itertools
import os
import queue
import socket
import sys
import threading
from collections.abc import Callable
from typing import Any, Final, TextIO

from dspex.core.errors import LMCancelledError
from dspex.core.example import Example
from dspex.core.lm import Reply
from dspex.core.once import Unrepeatable, watch_unrepeatable
from dspex.evaluate.isolate.channel import Channel, ChannelClosed, Line
from dspex.evaluate.isolate.failures import Failure
from dspex.evaluate.isolate.nodes import node_of_prediction, value_of
from dspex.evaluate.isolate.parcel import Unpacked, unpack
from dspex.evaluate.metric import judge
from dspex.evaluate.results.outcome import Stage
from dspex.evaluate.working.awaiting import awaited, needs_loop

STDERR: Final = 2
"""The descriptor of standard error, which needs no Python to be written to."""

_job: contextvars.ContextVar[int | None] = contextvars.ContextVar(
    "dspex_isolated_job", default=None
)


def main(descriptor: int) -> None:
    """Serve the parent at the other end of a socket until it hangs up.

    Args:
        descriptor: The socket, as this process inherited it.
    """
    os.set_inheritable(descriptor, False)  # noqa: FBT003 - it has no keywords
    channel = Channel(socket.socket(fileno=descriptor))
    # Whoever asks for input gets none, instead of waiting for ever.
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    faulthandler.enable(STDERR)
    sys.stdout = Printed(channel, "stdout", sys.stdout)
    sys.stderr = Printed(channel, "stderr", sys.stderr)
    try:
        Child(channel).serve()
    except ChannelClosed:
        return


class Printed(io.TextIOBase):
    """Standard output or error: each line is told to the parent, and kept as evidence.

    Args:
        channel: Where it is told.
        name: Which of the two it is.
        stream: The process's own.
    """

    def __init__(self, channel: Channel, name: str, stream: TextIO) -> None:
        self._channel = channel
        self._name = name
        self._stream = stream
        self._begun = ""

    def writable(self) -> bool:
        """It is."""
        return True

    def fileno(self) -> int:
        """The process's own descriptor, for what is written past Python."""
        return self._stream.fileno()

    def write(self, text: str) -> int:
        """Tell the lines that are whole; keep the rest for later."""
        self._stream.write(text)
        self._stream.flush()
        whole, newline, self._begun = (self._begun + text).rpartition("\n")
        if newline:
            self._tell(whole + newline)
        return len(text)

    def finish(self) -> None:
        """Tell what has no newline yet: the example is done."""
        begun, self._begun = self._begun, ""
        if begun:
            self._tell(f"{begun}\n")

    def _tell(self, text: str) -> None:
        self._channel.say({"printed": text, "on": self._name})


class Child:
    """Takes jobs and does them.

    Args:
        channel: Where they come from.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._jobs: queue.SimpleQueue[Line | None] = queue.SimpleQueue()
        self._numbers = itertools.count(1)
        # Additions and removals are single steps.
        self._waiting: dict[int, concurrent.futures.Future[Line]] = {}
        # Errors of the parent's models, so that it can tell them again.
        self._failed_calls: dict[int, BaseException] = {}
        self._at_work = 0

    def serve(self) -> None:
        """Do what comes until the parent hangs up."""
        parcel = self._channel.hear()["parcel"]
        threading.Thread(target=self._listen, daemon=True, name="from-parent").start()
        sys.argv = parcel["argv"]
        try:
            unpacked = unpack(parcel, self)
        except BaseException as error:  # noqa: BLE001 - whatever an import raises is told
            failure = Failure.of(error, "runtime")
            self._channel.say({"unfit": failure.line()})
            return
        self._channel.say({"ready": os.getpid()})
        while (job := self._jobs.get()) is not None:
            # A fresh copy: nothing of one example is seen by the next.
            contextvars.copy_context().run(self._do, job, unpacked)

    def _listen(self) -> None:
        try:
            while True:
                line = self._channel.hear()
                if "reply" in line:
                    self._waiting.pop(line["reply"]).set_result(line)
                else:
                    self._jobs.put(line)
        except ChannelClosed:
            self._jobs.put(None)

    # One example.

    def _do(self, job: Line, unpacked: Unpacked) -> None:
        self._at_work = job["job"]
        _job.set(job["job"])
        self._failed_calls.clear()
        _show_stack_after(job["timeout"])
        with unpacked.in_force(), watch_unrepeatable(Unrepeatable(self._begins)):
            answer = self._answer(job, unpacked)
        faulthandler.cancel_dump_traceback_later()
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, Printed):
                stream.finish()
        self._channel.say({"done": job["job"], **answer})

    def _answer(self, job: Line, unpacked: Unpacked) -> Line:
        prediction: Any = None
        stage: Stage = "program"
        try:
            example = value_of(job["example"], may_import=True)
            prediction = _run(unpacked.program, example)
            written = node_of_prediction(prediction)
            stage = "metric"
            self._channel.say({"stage": stage})
            if job["metric_timeout"] is not None:
                _show_stack_after(job["metric_timeout"])
            judgement = judge(
                unpacked.metric,
                example,
                prediction,
                metric_range=unpacked.metric_range,
            )
        except BaseException as error:  # noqa: BLE001 - whatever it raises is its outcome
            return self._failure(error, stage, prediction)
        return {
            "score": judgement.score,
            "columns": dict(judgement.columns),
            "feedback": judgement.feedback,
            "lost": {
                name: Failure.of(lost, "metric").line()
                for name, lost in judgement.lost.items()
            },
            "prediction": written,
        }

    def _failure(self, error: BaseException, stage: Stage, prediction: Any) -> Line:
        calls = (call for call, own in self._failed_calls.items() if own is error)
        return {
            "failure": Failure.of(error, stage).line(),
            "of": next(calls, None),
            "prediction": (
                node_of_prediction(prediction) if stage == "metric" else None
            ),
        }

    # Calls of models.

    def ask(self, line: Line) -> Reply:
        """Ask the parent; see `Asks`. Any thread may."""
        call, future = self._asked(line)
        reply: Reply = self._read(call, future.result())
        return reply

    async def aask(self, line: Line) -> Reply:
        """The same for coroutines."""
        call, future = self._asked(line)
        reply: Reply = self._read(call, await asyncio.wrap_future(future))
        return reply

    def _begins(self, name: str) -> None:
        """Tell the parent what must never be run again; it has noted it at the end."""
        call, future = self._asked({"began": name})
        self._read(call, future.result())

    def _asked(self, line: Line) -> tuple[int, concurrent.futures.Future[Line]]:
        call = next(self._numbers)
        future: concurrent.futures.Future[Line] = concurrent.futures.Future()
        self._waiting[call] = future
        # A thread without a context of ours belongs to the example at work.
        job = _job.get() or self._at_work
        try:
            self._channel.say({"call": call, "job": job, **line})
        except ChannelClosed as error:
            raise LMCancelledError(
                "the evaluation has ended, and with it the calls of its programs; an "
                "answer was expected before that. Wait for what a program begins."
            ) from error
        return call, future

    def _read(self, call: int, line: Line) -> Any:
        if "failure" in line:
            error = Failure(**line["failure"]).error()
            self._failed_calls[call] = error
            raise error
        return value_of(line["value"], may_import=True)


def _show_stack_after(seconds: float | None) -> None:
    """Write down where every thread is at the deadline, whatever holds the interpreter.

    It is the last thing this process does: the parent ends it then.
    """
    if seconds is not None:
        faulthandler.dump_traceback_later(seconds, file=STDERR)


def _run(program: Callable[..., Any], example: Example) -> Any:
    if needs_loop(program):
        return asyncio.run(awaited(program, **example.inputs()))
    return program(**example.inputs())
