"""A program and a metric that child processes find by name; the question says what
happens."""

from __future__ import annotations

import ctypes
import os
import re
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import dspex

_ASKS = "[[ ## question ## ]] q{}"
WAITS = "import threading; threading.Event().wait()"


def answer(question: str) -> dspex.Prediction:
    """What is right."""
    return dspex.Prediction(answer=question.replace("q", "a"))


def right(example: dspex.Example, prediction: Any, trace: Any = None) -> bool:
    """Exact match, without any normalising."""
    return bool(example.answer == prediction.answer)


def behave(question: str) -> dspex.Prediction:
    """Do what the question says; by default, answer it."""
    return _DOES.get(question, answer)(question)


def _loop(_: str) -> dspex.Prediction:
    while True:
        pass


def _backtrack(_: str) -> dspex.Prediction:
    """For ever, in C: no other thread gets to run."""
    re.fullmatch(r"(a+)+b", "a" * 64)
    raise AssertionError


def _hold(question: str) -> dspex.Prediction:
    """Say who does, then hold the interpreter."""
    print(os.getpid())
    return _backtrack(question)


def _start_family(question: str) -> dspex.Prediction:
    child = subprocess.Popen([sys.executable, "-S", "-c", WAITS])
    print(child.pid)
    child.wait()
    return answer(question)


def _exit(_: str) -> dspex.Prediction:
    sys.exit("enough")


def _vanish(_: str) -> dspex.Prediction:
    os.write(2, b"no more of this\n")
    os._exit(7)


def _kill_oneself(question: str) -> dspex.Prediction:
    """As the system does when memory runs out."""
    os.kill(os.getpid(), signal.SIGKILL)
    return answer(question)


def _divide(_: str) -> dspex.Prediction:
    return dspex.Prediction(answer=str(1 // 0))


def _raise_own_error(_: str) -> dspex.Prediction:
    raise OwnError("of my own")


def _show_environment(_: str) -> dspex.Prediction:
    return dspex.Prediction(answer="\n".join(os.environ))


def _send_mail_and_vanish(_: str) -> dspex.Prediction:
    send_mail()
    os._exit(1)


def _be_odd(question: str) -> dspex.Prediction:
    return dspex.Prediction(answer=question, odd=Odd())


def score(example: dspex.Example, prediction: Any, trace: Any = None) -> bool:
    """As `right`, but for what the question says."""
    match example.question:
        case "fault":
            ctypes.string_at(0)
        case "no such answer":
            raise LookupError("no such answer")
        case "metric waits":
            threading.Event().wait()
    return right(example, prediction)


class OwnError(Exception):
    """An error of somebody's own."""


class Odd:
    """More than its attributes, so that JSON cannot hold it."""

    def __init__(self) -> None:
        self.inside = "kept"

    def __getstate__(self) -> None:
        return None


def _print_everywhere(_: str) -> dspex.Prediction:
    print('{"done": 1}')
    print("beside", file=sys.stderr)
    os.write(1, b"past Python\n")
    subprocess.run(["echo", "from below"], check=True)
    print("no end of line", end="")
    try:
        return dspex.Prediction(answer=input())
    except EOFError:
        return dspex.Prediction(answer="no input")


def _ask_three_at_once(_: str) -> dspex.Prediction:
    lm = dspex.settings.lm
    # Threads that know nothing of any context.
    with ThreadPoolExecutor(3) as threads:
        answers = list(threads.map(lambda n: lm(_ASKS.format(n))[0], range(3)))
    return dspex.Prediction(answer=" ".join(text.split("\n")[1] for text in answers))


send_mail = dspex.Tool(lambda: "sent", name="send_mail", retry=False)


async def awaits(question: str) -> dspex.Prediction:
    """Ask the model in a coroutine."""
    reply = await dspex.settings.lm.acall(question)
    return dspex.Prediction(answer=reply[0])


class Asks(dspex.Module):
    """A program with a state of its own."""

    def __init__(self, prefix: str) -> None:
        super().__init__()
        self.prefix = prefix
        self.ask = dspex.Predict("question -> answer")

    def forward(self, question: str) -> dspex.Prediction:
        found = self.ask(question=question).answer
        return dspex.Prediction(answer=self.prefix + found)


class Judge:
    """A metric that is an object."""

    def __init__(self, wanted: str) -> None:
        self.wanted = wanted

    def __call__(
        self, example: dspex.Example, prediction: Any, trace: Any = None
    ) -> bool:
        return bool(prediction.answer == self.wanted)


_DOES = {
    "loop": _loop,
    "regular expression": _backtrack,
    "holds": _hold,
    "family": _start_family,
    "exit": _exit,
    "vanish": _vanish,
    "outside": _kill_oneself,
    "zero": _divide,
    "own error": _raise_own_error,
    "prints": _print_everywhere,
    "environment": _show_environment,
    "threads": _ask_three_at_once,
    "unrepeatable": _send_mail_and_vanish,
    "odd": _be_odd,
}
