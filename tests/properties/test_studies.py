"""Whenever a study is interrupted, whatever it may spend, however many work on it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dspex
from dspex.client.price import Price
from dspex.core.errors import BudgetExceededError, EvaluationInterrupted
from dspex.teleprompt import COPRO
from dspex.teleprompt.studies.study import PIECES
from dspex.teleprompt.studies.study_line import StudyLine
from dspex.testing import FakeProvider, ScriptedTask

PATIENCE = 20.0
TASK = ScriptedTask(seed=1, train=5, dev=4)
PRICE = Price(input=1.0, output=2.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    """A provider and a place to keep studies."""

    provider: FakeProvider
    lm: dspex.LM
    home: Path

    def climbed(self, threads: int = 2, **options: Any) -> tuple[Any, COPRO]:
        """Search for better instructions; return the winner's state and the search."""
        how = COPRO(metric=TASK.metric, breadth=3, depth=2, num_threads=threads)
        student = dspex.Predict("question -> answer")
        options = {"trainset": TASK.trainset, "valset": TASK.devset, **options}
        return how.compile(student, **options).dump_state(), how

    @property
    def billed(self) -> int:
        """Requests that the provider has received."""
        return len(self.provider.bill)


@contextmanager
def lab(task: ScriptedTask = TASK) -> Iterator[Lab]:
    """A provider, a runtime with a home, and a model."""
    with (
        tempfile.TemporaryDirectory() as home,
        FakeProvider(answer=task.answer, price=PRICE) as provider,
        dspex.Runtime(dspex.Config(home=Path(home), prices={"openai/fake": PRICE})),
    ):
        url = provider.base_url
        lm = dspex.LM("openai/fake", api_base=url, cache=False, max_tokens=64)
        with dspex.context(lm=lm):
            yield Lab(provider=provider, lm=lm, home=Path(home))


@pytest.fixture(scope="module")
def whole() -> tuple[Any, int, dspex.Budget]:
    """What nobody interrupts comes to, its requests, and what they cost."""
    with lab() as undisturbed, dspex.Budget() as spent:
        found, _ = undisturbed.climbed()
        return found, undisturbed.billed, spent


@settings(max_examples=2, deadline=None)
@given(share=st.floats(min_value=0.0, max_value=1.0))
def test_an_interruption_at_any_call_changes_nothing_and_costs_what_was_open(
    whole: tuple[Any, int, dspex.Budget], share: float
) -> None:
    found, needed, _ = whole
    threads = 2
    with lab() as mine, pytest.MonkeyPatch.context() as patch:

        def interrupt(_line: StudyLine) -> None:
            mine.provider.wait_for_bill(int(share * needed), PATIENCE)
            patch.undo()
            raise KeyboardInterrupt

        patch.setattr(StudyLine, "__call__", interrupt)
        try:
            again, how = mine.climbed(threads, run="tuning")
        except EvaluationInterrupted:
            again, how = mine.climbed(threads, run="tuning")

        assert again == found
        # What the interrupted run had open; then, when that piece has its turn, what
        # the others have: each has a hand of its own, however few there are.
        assert mine.billed <= needed + threads + max(threads, PIECES)
        assert how.study is not None
        assert how.study.ended == "complete"


@settings(max_examples=3, deadline=None)
@given(
    what=st.sampled_from(["calls", "tokens", "dollars"]),
    share=st.floats(min_value=0.0, max_value=1.5),
)
def test_a_budget_of_any_size_is_never_exceeded_and_gives_the_best_until_then(
    whole: tuple[Any, int, dspex.Budget], what: str, share: float
) -> None:
    found, _, spent = whole
    cap: Any = share * getattr(spent.spent, what)
    cap = cap if what == "dollars" else int(cap)
    refused, given = False, None
    with lab() as mine:
        how = COPRO(metric=TASK.metric, breadth=3, depth=2, num_threads=2)
        caps: dict[str, Any] = {what: cap}
        budget = dspex.Budget(**caps)
        try:
            given = how.compile(
                dspex.Predict("question -> answer"),
                trainset=TASK.trainset,
                valset=TASK.devset,
                budget=budget,
            )
        except (BudgetExceededError, dspex.EvaluationError):
            refused = True

        billed = {
            "calls": mine.billed,
            "tokens": mine.provider.total_usage.total_tokens,
            "dollars": mine.provider.total_cost,
        }
        assert billed[what] <= cap
        assert how.study is not None
        assert refused == (how.study.winner is None)
        assert how.study.ended == ("budget" if refused else how.study.ended)
        if how.study.ended == "complete":
            assert given is not None
            assert given.dump_state() == found
        elif given is not None:
            scores = [each.score or 0.0 for each in how.study.candidates]
            assert how.study.winner is not None
            assert how.study.winner.score == max(scores)


@settings(max_examples=1, deadline=None)
@given(seed=st.integers(min_value=0, max_value=1000))
def test_one_and_eight_hands_try_and_choose_the_same(seed: int) -> None:
    task = ScriptedTask(seed=seed, train=5, dev=4)
    found = []
    for threads in (1, 8):
        how = dspex.BootstrapFewShotWithRandomSearch(
            task.metric,
            num_candidate_programs=1,
            max_labeled_demos=2,
            num_threads=threads,
        )
        with lab(task):
            winner = how.compile(
                dspex.Predict("question -> answer"),
                trainset=task.trainset,
                valset=task.devset,
                run="tuning",
            )
        assert how.study is not None
        tried = [each.plain() for each in how.study.candidates]
        found.append((winner.dump_state(), tried, how.study.best))

    assert found[0] == found[1]
