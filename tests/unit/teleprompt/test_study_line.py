"""The line of a study: only where somebody looks, and all that one wants to know."""

from __future__ import annotations

import io
import sys
from types import ModuleType
from typing import Any, cast

import pytest

from dspex.client.budget import Budget, Spending
from dspex.programs.predict import Predict
from dspex.teleprompt.studies.candidate import Candidate
from dspex.teleprompt.studies.order import Order
from dspex.teleprompt.studies.study import Study
from dspex.teleprompt.studies.study_line import StudyLine, StudyStanding
from supervisors.testing import ManualClock


class Terminal(io.StringIO):
    """A terminal of some encoding."""

    def __init__(self, encoding: str = "utf-8") -> None:
        super().__init__()
        self._encoding = encoding

    @property
    def encoding(self) -> str:  # type: ignore[override] # of a real terminal
        """What it writes."""
        return self._encoding

    def isatty(self) -> bool:
        return True


class Standing:
    """A study as its line sees it."""

    def __init__(self, budget: Budget | None = None) -> None:
        self.order = Order(
            optimiser="COPRO",
            student=Predict("question -> answer"),
            metric=None,
            trainset=(),
            budget=budget,
        )
        self.candidates: tuple[Candidate, ...] = ()
        self.spent = Spending()
        self.at_work: tuple[Any, ...] = ()


def line(study: Standing, stream: io.StringIO | None, **how: Any) -> StudyLine:
    clock = ManualClock()
    how = {"now": clock.monotonic, **how}
    return StudyLine(cast("Study", study), 4, stream=stream, **how)


def tried(study: Standing, count: int) -> None:
    study.candidates = tuple(
        Candidate(number=each, label=f"wording {each}", origin="", score=10.0 * each)
        for each in range(count)
    )


def test_a_terminal_is_told_how_far_it_is_what_is_best_and_at_work_and_what_is_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    budget = Budget(calls=50, dollars=1.0)
    budget.count(Spending(calls=12, tokens=300, dollars=0.25))
    study, stream = Standing(budget), Terminal()
    tried(study, 3)
    study.spent = budget.spent
    study.at_work = (("0003.score", 5, 15),)

    with line(study, stream) as showing:
        showing()

    text = stream.getvalue()
    assert "3/4 candidates" in text
    assert "best 20.0 (wording 2)" in text
    assert "12 calls (38 left)" in text
    assert "$0.25 ($0.75 left)" in text
    assert "0003.score 5/15" in text
    assert "█" in text
    assert text.endswith("\n")


def test_without_a_budget_only_what_was_spent_is_told() -> None:
    study = Standing()
    study.spent = Spending(calls=12)

    words = line(study, Terminal()).standing().words()

    assert words[:2] == ["0/4 candidates", "12 calls"]


def test_nobody_who_looks_is_told_nothing() -> None:
    study, stream = Standing(), io.StringIO()

    with line(study, stream) as showing:
        tried(study, 2)
        showing()

    assert stream.getvalue() == ""


def test_a_terminal_without_blocks_gets_a_plain_bar() -> None:
    study, stream = Standing(), Terminal("ascii")
    tried(study, 2)

    with line(study, stream):
        pass

    assert stream.getvalue().isascii()
    assert "#" in stream.getvalue()


def test_how_it_ended_is_what_stays_on_the_terminal() -> None:
    study, stream = Standing(), Terminal()

    with line(study, stream) as showing:
        showing()
        tried(study, 4)

    assert "4/4 candidates" in stream.getvalue().rpartition("\r")[2]


@pytest.mark.parametrize("when", ["while it is shown", "at the end"])
def test_a_terminal_that_is_gone_ends_the_showing_and_not_the_study(when: str) -> None:
    study, stream = Standing(), Terminal()

    with line(study, stream) as showing:
        showing()
        stream.close()
        if when == "while it is shown":
            tried(study, 2)
            showing()
            showing()


def test_nothing_new_is_not_shown_again() -> None:
    study, stream = Standing(), Terminal()

    with line(study, stream) as showing:
        showing()
        showing()

    assert stream.getvalue().count("\r") == 1


def test_a_notebook_gets_one_output_that_is_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    outputs: list[dict[str, str]] = []

    class Handle:
        def update(self, shown: dict[str, str], *, raw: bool) -> None:
            assert raw
            outputs[-1] = shown

    def display(shown: dict[str, str], *, raw: bool, display_id: bool) -> Handle:
        assert raw
        assert display_id
        outputs.append(shown)
        return Handle()

    ipython, displays = ModuleType("IPython"), ModuleType("IPython.display")
    shell = type("Shell", (), {"kernel": object()})()
    vars(ipython).update(get_ipython=lambda: shell, display=displays)
    vars(displays).update(display=display)
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", displays)
    study = Standing()

    with line(study, None) as showing:
        showing()
        tried(study, 2)

    assert len(outputs) == 1
    assert "2/4 candidates" in outputs[0]["text/html"]
    assert "2/4 candidates" in outputs[0]["text/plain"]


def test_a_long_label_leaves_room_for_what_comes_after_it() -> None:
    study = Standing()
    said = "Give the code that belongs to the item, and " * 9
    study.candidates = (Candidate(number=0, label=said, origin="", score=1.0),)

    best = line(study, Terminal()).standing().words()[1]

    assert best == "best 1.0 (Give the code that be...)"


def test_what_a_model_said_cannot_take_the_terminal_over() -> None:
    hostile = Candidate(number=0, label="a\x1b[2J\nb", origin="", score=1.0)
    standing = StudyStanding(
        label="COPRO",
        candidates=(hostile,),
        total=None,
        at_work=(),
        spent=Spending(),
        seconds=0.0,
    )

    assert not any("\x1b" in word or "\n" in word for word in standing.words())
