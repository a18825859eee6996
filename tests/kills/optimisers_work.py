"""The optimisers that are disturbed, each at a small search on a scripted task."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import dspex
from dspex.client.price import Price
from dspex.core.errors import BudgetExceededError, EvaluationError
from dspex.core.lm import LanguageModel
from dspex.evaluate.record.codec import encode
from dspex.teleprompt import (
    COPRO,
    GEPA,
    BootstrapFewShot,
    BootstrapFewShotWithRandomSearch,
    KNNFewShot,
    MIPROv2,
)
from dspex.teleprompt.studies.study_result import StudyResult
from dspex.teleprompt.teleprompter import Teleprompter
from dspex.testing import ScriptedTask

TASK: Final = ScriptedTask(seed=3, train=12, dev=10)
RUN: Final = "tuning"
"""The name of each search, in a home of its own."""
MODEL: Final = "openai/fake"
PRICE: Final = Price(input=1.0, output=2.0)
"""Dollars for a million tokens."""
LONGEST_ANSWER: Final = 64
"""Tokens an answer may have, so that budgets know the worst case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Came:
    """What a search came to."""

    winner: str
    """The digest of the winner's whole state."""
    candidates: str
    """The digest of all candidates, each with its state and its scores."""
    tried: int
    """How many those are."""
    ended: str
    """How it ended."""
    calls: int
    """Requests it says it has made, by all of its processes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """An optimiser and what it is given."""

    make: Callable[[int, LanguageModel], Teleprompter]
    """Makes it, for so many examples at a time and a model that proposes."""
    arguments: Mapping[str, Any]
    """What its `compile` is given beside the student."""
    asks_once: bool = True
    """Whether one example takes one call, so that a second one is one too many."""


def _feedback(
    example: Any,
    prediction: Any,
    trace: Any = None,
    pred_name: Any = None,
    pred_trace: Any = None,
) -> Any:
    """The task's metric, as GEPA wants it."""
    right = TASK.metric(example, prediction)
    words = "right" if right else f"The code is {example.answer}."
    return dspex.Prediction(score=float(right), feedback=words)


def _vectors(texts: Any) -> list[list[float]]:
    """A vector for each text, by its letters."""
    return [[float(text.count(letter)) for letter in "aeiou"] for text in texts]


_SETS: Final = {"trainset": TASK.trainset, "valset": TASK.devset}
_QUIET: Final[Mapping[str, Any]] = {"display_progress": False}

SEARCHES: Final[Mapping[str, Search]] = {
    "BootstrapFewShot": Search(
        make=lambda threads, _: BootstrapFewShot(
            TASK.metric, num_threads=threads, max_labeled_demos=4, **_QUIET
        ),
        arguments=_SETS,
    ),
    "BootstrapFewShotWithRandomSearch": Search(
        make=lambda threads, _: BootstrapFewShotWithRandomSearch(
            TASK.metric,
            num_threads=threads,
            num_candidate_programs=3,
            max_labeled_demos=2,
            **_QUIET,
        ),
        arguments=_SETS,
    ),
    "COPRO": Search(
        make=lambda threads, lm: COPRO(
            prompt_model=lm,
            metric=TASK.metric,
            breadth=3,
            depth=2,
            num_threads=threads,
            **_QUIET,
        ),
        arguments=_SETS,
    ),
    "MIPROv2": Search(
        make=lambda threads, lm: MIPROv2(
            TASK.metric,
            prompt_model=lm,
            auto=None,
            num_candidates=4,
            max_labeled_demos=2,
            num_threads=threads,
            **_QUIET,
        ),
        arguments={
            **_SETS,
            "num_trials": 5,
            "minibatch_size": 5,
            "minibatch_full_eval_steps": 2,
        },
    ),
    "GEPA": Search(
        make=lambda threads, lm: GEPA(
            _feedback,
            reflection_lm=lm,
            max_metric_calls=80,
            num_threads=threads,
            **_QUIET,
        ),
        arguments=_SETS,
    ),
    "KNNFewShot": Search(
        make=lambda threads, _: KNNFewShot(
            3,
            TASK.trainset,
            _vectors,
            metric=TASK.metric,
            max_bootstrapped_demos=2,
            num_threads=threads,
            **_QUIET,
        ),
        arguments={"valset": TASK.devset[:5]},
        asks_once=False,
    ),
}
"""By name. `LabeledFewShot` asks nothing, so nothing can disturb it."""


def searched(
    name: str,
    url: str,
    *,
    threads: int,
    budget: dspex.Budget | None = None,
    cache: bool = False,
) -> Came:
    """Do a search, or go on with it.

    Args:
        name: The optimiser.
        url: Where the provider is.
        threads: Examples at a time.
        budget: What may be spent.
        cache: Whether answers are kept, so that not each call is billed.
    """
    lm = dspex.LM(MODEL, api_base=url, cache=cache, max_tokens=LONGEST_ANSWER)
    search = SEARCHES[name]
    how = search.make(threads, lm)
    winner = None
    with dspex.context(lm=lm):
        try:
            winner = how.compile(  # type: ignore[attr-defined] # each has its own
                dspex.Predict("question -> answer"),
                **search.arguments,
                budget=budget,
                run=RUN,
            )
        except (BudgetExceededError, EvaluationError):
            if how.study is None or how.study.ended != "budget":
                raise
    assert how.study is not None
    return came(winner, how.study)


def came(winner: dspex.Program | None, study: StudyResult) -> Came:
    """What a study came to."""
    told = [each.plain() for each in study.candidates]
    return Came(
        winner=_digest(None if winner is None else winner.dump_state()),
        candidates=_digest(told),
        tried=len(told),
        ended=study.ended,
        calls=study.spent.calls,
    )


def _digest(value: Any) -> str:
    text = encode(json.loads(encode(value)))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
