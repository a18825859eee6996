"""A program that sends mails, in a process that may be killed after the first one."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import dspex
from dspex.evaluate.results.result import EvaluationResult
from tests.actors.rows import rows


class Mails(dspex.Program):
    """Sends a mail for each example; while there is a file `deadly`, it dies of it."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self.tool = dspex.Tool(self.send, retry=False)

    def send(self, to: str) -> str:
        """Send a mail: a line in a file."""
        with (self.folder / "mails").open("a", encoding="ascii") as file:
            file.write(f"{to}\n")
        deadly = self.folder / "deadly"
        if deadly.exists():
            deadly.unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        return "sent"

    def forward(self, question: str) -> dspex.Prediction:
        """Tell somebody."""
        return dspex.Prediction(answer=self.tool(to=question))


def was_sent(example: dspex.Example, prediction: Any, trace: Any = None) -> bool:
    """Whether the mail went out."""
    return bool(prediction.answer == "sent")


def evaluated(home: Path) -> EvaluationResult:
    """Evaluate it under one name, or go on with that."""
    with dspex.Runtime(dspex.Config(home=home)):
        evaluate = dspex.Evaluate(
            devset=rows(2),
            metric=was_sent,
            concurrency=1,
            display_progress=False,
            run="mails",
        )
        return evaluate(Mails(home))


if __name__ == "__main__":
    evaluated(Path(sys.argv[1]))
