"""Programs and metrics that child processes find by name, well-behaved and not."""

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

Example = dspex.Example
Prediction = dspex.Prediction


def answer(question: str) -> Prediction:
    """The right one."""
    return Prediction(answer=question.replace("q", "a"))


def right(example: Example, prediction: Any, trace: Any = None) -> bool:
    """Exact match, without any normalising."""
    return bool(example.answer == prediction.answer)


def loops_at_q1(question: str) -> Prediction:
    while question == "q1":
        pass
    return answer(question)


def holds_interpreter_at_q1(question: str) -> Prediction:
    """A regular expression that backtracks for ever keeps every thread from running."""
    if question == "q1":
        re.fullmatch(r"(a+)+b", "a" * 64)
    return answer(question)


def leaves_process_at_q1(question: str) -> Prediction:
    """Starts one that ends only when it is ended, and waits for it."""
    if question == "q1":
        wait = "import threading; threading.Event().wait()"
        done = subprocess.Popen([sys.executable, "-S", "-c", wait])
        print(f"started {done.pid}")
        done.wait()
    return answer(question)


def exits_at_q1(question: str) -> Prediction:
    if question == "q1":
        sys.exit("enough")
    return answer(question)


def vanishes_at_q1(question: str) -> Prediction:
    if question == "q1":
        os._exit(7)
    return answer(question)


def killed_once(question: str) -> Prediction:
    """Killed from outside at the first attempt; the file tells whether it was that."""
    if question == "q1":
        try:
            os.close(os.open(os.environ["KILLED_ONCE"], os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return answer(question)
        os.kill(os.getpid(), signal.SIGKILL)
    return answer(question)


def raises_at_q1(question: str) -> Prediction:
    if question == "q1":
        raise ZeroDivisionError("nothing to divide by")
    return answer(question)


def faults_at_q1(example: Example, prediction: Any, trace: Any = None) -> bool:
    """A fault in C."""
    if example.question == "q1":
        ctypes.string_at(0)
    return right(example, prediction)


def raises_as_metric(example: Example, prediction: Any, trace: Any = None) -> bool:
    raise LookupError("no such answer")


def waits_at_q1(example: Example, prediction: Any, trace: Any = None) -> bool:
    if example.question == "q1":
        threading.Event().wait()
    return right(example, prediction)


def prints(question: str) -> Prediction:
    """On every way out there is."""
    print(f"for {question}")
    print("and this on the other", file=sys.stderr)
    os.write(1, b"past Python\n")
    subprocess.run(["echo", "from below"], check=True)
    try:
        input()
    except EOFError:
        return answer(question)
    return Prediction(answer="there was input")


def shows_environment(question: str) -> Prediction:
    return Prediction(answer=" ".join(f"{k}={v}" for k, v in os.environ.items()))


def asks_three_at_once(question: str) -> Prediction:
    """Three calls in flight, from threads that know nothing of any context."""
    lm = dspex.settings.lm

    def ask(number: int) -> str:
        return str(lm(f"{question} {number}")[0])

    with ThreadPoolExecutor(3) as threads:
        return Prediction(answer=" ".join(threads.map(ask, range(3))))


async def awaits(question: str) -> Prediction:
    reply = await dspex.settings.lm.acall(question)
    return Prediction(answer=reply[0])


class Asks(dspex.Module):
    """A program with a state of its own."""

    def __init__(self, suffix: str) -> None:
        super().__init__()
        self.suffix = suffix
        self.ask = dspex.Predict("question -> answer")

    def forward(self, question: str) -> Prediction:
        found = self.ask(question=question).answer
        return Prediction(answer=found + self.suffix)


class OddOne:
    """Nothing that JSON could hold."""

    __slots__ = ("inside",)

    def __init__(self) -> None:
        self.inside = threading.Lock()


def answers_oddly(question: str) -> Prediction:
    return Prediction(answer=answer(question).answer, odd=OddOne())
