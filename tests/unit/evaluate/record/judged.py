"""Programs and metrics of a user's, whose fingerprints are taken in two processes."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any

import dspex
from dspex.evaluate.record.fingerprint import fingerprints, row_digest

THRESHOLD = 0.5
SYNONYMS = {"nyc": "new york"}


def cleaned(text: str) -> str:
    """Take white space off."""
    return text.strip().casefold()


def near(example: Any, prediction: Any, trace: Any = None) -> bool:
    return cleaned(prediction.answer) == cleaned(example.answer) or THRESHOLD > 1


def at_least(share: float) -> Callable[..., bool]:
    def metric(example: Any, prediction: Any) -> bool:
        words = set(SYNONYMS.get(example.answer, example.answer).split())
        return len(words & {"a", "b", "c"}) >= share * len(words)

    return metric


class Judge:
    def __init__(self, strict: bool) -> None:
        self.strict = strict

    def __call__(self, example: Any, prediction: Any) -> float:
        return self.score(example.answer, prediction.answer)

    def score(self, wanted: str, given: str) -> float:
        return float(wanted == given) if self.strict else 1.0


class QA(dspex.Program):
    def __init__(self, k: int = 3) -> None:
        super().__init__()
        self.k = k
        self.asked = dspex.ChainOfThought("question -> answer: str")
        self.steps = [dspex.Predict("answer -> verdict: bool")]

    def forward(self, question: str) -> Any:
        return self.asked(question=cleaned(question))


METRICS = {
    "near": near,
    "share": at_least(0.5),
    "judge": Judge(strict=True),
    "partial": functools.partial(near, trace=None),
    "lambda": lambda example, prediction: example.answer in {"a", "b", "c"},
}


def program() -> QA:
    made = QA()
    made.asked.predict.demos = [dspex.Example(question="1?", answer={"b", "a", "c"})]
    return made


def rows() -> list[dspex.Example]:
    return [
        dspex.Example(question="1?", tags={"x", "y", "z"}, odd=object()),
        dspex.Example(question="2?").with_inputs("question"),
    ]


def all_digests() -> list[Any]:
    model = dspex.LM("openai/gpt-4o-mini", api_key="sk-a", temperature=0.5)
    made = fingerprints(program(), METRICS, lm=model, adapter=dspex.JSONAdapter())
    return [dict(made.program), dict(made.metric), dict(made.models), made.python] + [
        row_digest(row) for row in rows()
    ]


if __name__ == "__main__":
    import json

    sys.stdout.write(json.dumps(all_digests()))
