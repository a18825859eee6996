"""A study: what is kept, what is paid, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import itertools
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import dspex
from dspex.core.errors import (
    BudgetExceededError,
    EvaluationInterrupted,
    LMConnectionError,
    RunBusyError,
    RunChangedError,
)
from dspex.evaluate.running.aggregator import AggregatorActor
from dspex.teleprompt import COPRO, BootstrapFewShotWithRandomSearch
from dspex.teleprompt.studies.order import Order
from dspex.teleprompt.studies.recorded_study import load_study
from dspex.teleprompt.studies.steps import Steps
from dspex.teleprompt.studies.study import PIECES, Study
from dspex.testing import FakeProvider, ScriptedTask
from dspex.testing.chaos import ChaosPlan, DiskChaos, chaos
from dspex.testing.faults import WRONG_KEY, Hang
from supervisors import Scope, ScopeCancelledError, Task, within
from tests.actors.interrupting import after

TASK = ScriptedTask(seed=1, train=12, dev=15)
SEEDS = 3
PATIENCE = 20.0
OPEN = PIECES
"""Requests of two hands that are out at a time, as each open piece has one at least."""
HANDS = 16
"""Examples worked on at a time unless a test says otherwise."""


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider(answer=TASK.answer) as running:
        yield running


@pytest.fixture
def lm(provider: FakeProvider, tmp_path: Path) -> Iterator[dspex.LM]:
    with dspex.Runtime(dspex.Config(home=tmp_path)):
        model = dspex.LM("openai/fake", api_base=provider.base_url, cache=False)
        with dspex.context(lm=model):
            yield model


def optimiser(**options: Any) -> BootstrapFewShotWithRandomSearch:
    options = {"num_candidate_programs": SEEDS, "max_labeled_demos": 2, **options}
    return BootstrapFewShotWithRandomSearch(TASK.metric, **options)


def compiled(how: BootstrapFewShotWithRandomSearch, **options: Any) -> dspex.Predict:
    options = {"trainset": TASK.trainset, "valset": TASK.devset, **options}
    return how.compile(dspex.Predict("question -> answer"), **options)


def refusal_of(
    how: BootstrapFewShotWithRandomSearch, **options: Any
) -> BudgetExceededError | None:
    """Why nothing was found, where a budget was too small; `None` where it did."""
    try:
        compiled(how, **options)
    except BudgetExceededError as error:
        return error
    except dspex.EvaluationError as error:
        cause = error.__cause__
        if not isinstance(cause, BudgetExceededError):
            raise
        return cause
    return None


@pytest.mark.usefixtures("lm")
def test_an_interrupted_study_goes_on_and_ends_as_if_it_had_not_been(
    provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = compiled(optimiser()).dump_state()
    calls = len(provider.bill)

    with monkeypatch.context() as patch:
        after(calls + calls // 2, provider, patch)
        with pytest.raises(EvaluationInterrupted, match="run='tuning'"):
            compiled(optimiser(num_threads=2), run="tuning")
    again = optimiser(num_threads=2)
    found = compiled(again, run="tuning")

    assert found.dump_state() == whole
    assert again.study is not None
    assert again.study.ended == "complete"
    # What was open at the interruption is paid twice, and nothing else.
    assert len(provider.bill) <= 2 * calls + OPEN
    told = again.study.spent.calls
    assert len(provider.bill) - calls <= told <= len(provider.bill) - calls + OPEN


@pytest.mark.usefixtures("lm")
def test_a_study_that_is_done_is_recalled_without_a_call(
    provider: FakeProvider,
) -> None:
    first, again = optimiser(), optimiser()
    found = compiled(first, run="tuning")
    calls = len(provider.bill)

    recalled = compiled(again, run="tuning")

    assert len(provider.bill) == calls
    assert recalled.dump_state() == found.dump_state()
    assert first.study is not None
    assert again.study is not None
    assert again.study.candidates == first.study.candidates
    assert str(again.study.lift) == str(first.study.lift)
    assert again.study.spent == first.study.spent
    loaded = load_study("tuning")
    assert str(loaded).partition("\n")[2] == str(again.study).partition("\n")[2]
    assert loaded.ended == "complete"
    assert loaded.candidates == list(again.study.candidates)


@pytest.mark.usefixtures("lm")
@pytest.mark.parametrize("cap", [1, 7, 40, 60])
def test_a_budget_is_never_exceeded_and_the_best_until_then_is_returned(
    provider: FakeProvider, cap: int
) -> None:
    how = optimiser()
    budget = dspex.Budget(calls=cap)

    refused = refusal_of(how, budget=budget)

    # One that was broken off may have been written and never read.
    assert how.study is not None
    assert len(provider.bill) <= how.study.spent.calls <= cap
    assert how.study.spent.calls <= len(provider.bill) + HANDS
    assert how.study.ended == "budget"
    assert (refused is None) == (how.study.winner is not None)


@pytest.mark.usefixtures("lm")
def test_what_a_killed_process_spent_counts_in_the_budget_of_the_next(
    provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        after(20, provider, patch)
        with pytest.raises(EvaluationInterrupted):
            compiled(optimiser(), run="tuning", budget=dspex.Budget(calls=50))
    spent = len(provider.bill)

    other = dspex.Budget(calls=spent + 5)
    how = optimiser()
    refusal_of(how, run="tuning", budget=other)

    assert len(provider.bill) <= spent + 5
    assert how.study is not None
    assert how.study.ended == "budget"


@pytest.mark.usefixtures("lm")
def test_going_on_in_one_process_counts_nothing_twice(
    provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    budget = dspex.Budget(calls=10_000)
    with monkeypatch.context() as patch:
        after(20, provider, patch)
        with pytest.raises(EvaluationInterrupted):
            compiled(optimiser(num_threads=2), run="tuning", budget=budget)

    compiled(optimiser(num_threads=2), run="tuning", budget=budget)

    # A request that was broken off may have been written and never read.
    assert len(provider.bill) <= budget.spent.calls <= len(provider.bill) + OPEN


@pytest.mark.usefixtures("lm")
def test_what_a_step_had_asked_when_it_was_interrupted_is_counted(
    provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider.misbehave(Hang())
    how = COPRO(metric=TASK.metric, breadth=5, depth=1)
    student = dspex.Predict("question -> answer")

    with monkeypatch.context() as patch:
        after(4, provider, patch)
        with pytest.raises(EvaluationInterrupted):
            how.compile(student, trainset=TASK.trainset, run="tuning")
    first = how.study
    provider.behave()
    how.compile(student, trainset=TASK.trainset, run="tuning")

    assert first is not None
    assert first.spent.calls == 4
    assert how.study is not None
    assert how.study.spent.calls == len(provider.bill)
    assert load_study("tuning").spent.calls == len(provider.bill)


@pytest.mark.usefixtures("lm")
def test_another_setting_under_an_old_name_is_refused_by_name() -> None:
    compiled(optimiser(), run="tuning")

    with pytest.raises(RunChangedError, match="max_labeled_demos"):
        compiled(optimiser(max_labeled_demos=1), run="tuning")
    with pytest.raises(RunChangedError, match="trainset"):
        compiled(optimiser(), run="tuning", trainset=TASK.trainset[1:])


@pytest.mark.usefixtures("lm")
def test_a_second_owner_is_told() -> None:
    busy: list[BaseException] = []
    begun, told = threading.Event(), threading.Event()

    def metric(example: dspex.Example, prediction: Any, trace: Any = None) -> bool:
        begun.set()
        assert told.wait(PATIENCE)
        return bool(TASK.metric(example, prediction))

    how = BootstrapFewShotWithRandomSearch(metric, num_candidate_programs=0)

    def second() -> None:
        assert begun.wait(PATIENCE)
        try:
            compiled(how, run="tuning")
        except RunBusyError as error:
            busy.append(error)
        finally:
            told.set()

    other = threading.Thread(target=contextvars.copy_context().run, args=[second])
    other.start()
    compiled(how, run="tuning")
    other.join(PATIENCE)

    assert len(busy) == 1


@pytest.mark.usefixtures("lm")
def test_the_winner_is_one_program_whatever_stands_beside_it() -> None:
    found = compiled(optimiser())

    assert [name for name, _ in found.named_predictors()] == ["self"]
    assert len(vars(found)["candidate_programs"]) == SEEDS + 3
    assert not hasattr(found.deepcopy(), "candidate_programs")


@pytest.mark.usefixtures("lm")
def test_one_that_is_good_enough_ends_the_search() -> None:
    how = optimiser(stop_at_score=0.0)

    compiled(how)

    assert how.study is not None
    assert [each.label for each in how.study.candidates] == ["no demos"]


@pytest.mark.usefixtures("lm")
def test_a_plan_tells_how_many_calls_there_will_be(provider: FakeProvider) -> None:
    how, program = optimiser(), dspex.Predict("question -> answer")

    plan = how.plan(program, trainset=TASK.trainset, valset=TASK.devset)
    asked_by_planning = len(provider.bill)
    compiled(how)

    least, most = plan.calls
    assert asked_by_planning == 0
    assert least <= len(provider.bill) <= most
    assert str(plan).startswith(f"BootstrapFewShotWithRandomSearch: {least} to {most}")


# `LabeledFewShot` asks nothing, and is judged like all others.


def labelled(student: dspex.Predict, **options: Any) -> dspex.LabeledFewShot:
    how = dspex.LabeledFewShot(k=2, metric=TASK.metric)
    how.compile(student, trainset=TASK.trainset, **options)
    return how


@pytest.mark.usefixtures("lm")
def test_labelled_demos_are_judged_beside_the_student(provider: FakeProvider) -> None:
    student = dspex.Predict("question -> answer")
    rows = {"trainset": TASK.trainset, "valset": TASK.devset}
    plan = dspex.LabeledFewShot(k=2, metric=TASK.metric).plan(student, **rows)

    how = labelled(student, valset=TASK.devset, run="labels")
    calls = len(provider.bill)
    again = labelled(student, valset=TASK.devset, run="labels")

    assert calls == len(provider.bill) == 2 * len(TASK.devset)
    assert plan.calls == (calls, calls)
    assert student.demos == []
    assert how.study is not None
    assert again.study is not None
    assert how.study.lift is not None
    assert how.study.lift.judged_on == "the valset"
    assert str(how.study.lift) == str(again.study.lift)
    assert [each.label for each in how.study.candidates] == ["2 labelled demos"]


@pytest.mark.usefixtures("lm")
def test_labelled_demos_without_a_set_to_judge_on_cost_nothing(
    provider: FakeProvider,
) -> None:
    student = dspex.Predict("question -> answer")
    how = dspex.LabeledFewShot(k=3)

    compiled = how.compile(student, trainset=TASK.trainset)

    assert len(compiled.demos) == 3
    assert how.plan(student, trainset=TASK.trainset).calls == (0, 0)
    assert how.study is not None
    assert (how.study.run, how.study.spent.calls, len(provider.bill)) == (None, 0, 0)
    with pytest.raises(dspex.ConfigurationError, match="no metric"):
        how.compile(student, trainset=TASK.trainset, testset=TASK.devset)


@pytest.mark.usefixtures("lm")
def test_judging_labelled_demos_keeps_to_the_budget(provider: FakeProvider) -> None:
    student = dspex.Predict("question -> answer")

    how = labelled(student, valset=TASK.devset, budget=dspex.Budget(calls=7))

    assert len(provider.bill) <= 7
    assert how.study is not None
    assert how.study.ended == "budget"


@pytest.mark.usefixtures("lm")
def test_labelled_demos_are_there_when_their_judging_is_interrupted(
    provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    after(3, provider, monkeypatch)

    with pytest.raises(EvaluationInterrupted) as caught:
        labelled(dspex.Predict("question -> answer"), valset=TASK.devset)

    assert len(caught.value.best_so_far.demos) == 2


@pytest.mark.usefixtures("lm")
def test_a_run_that_was_given_up_before_it_began_leaves_its_record_free() -> None:
    program = dspex.Predict("question -> answer")
    evaluate = dspex.Evaluate(devset=TASK.devset, metric=TASK.metric, run="part")
    scope = Scope("a piece of a search")

    scope.cancel("nobody needs it")
    with within(scope), pytest.raises(ScopeCancelledError):
        evaluate(program)

    assert evaluate(program).complete


@pytest.mark.usefixtures("lm")
def test_a_run_that_was_given_up_while_it_began_leaves_nobody_at_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    program = dspex.Predict("question -> answer")
    evaluate = dspex.Evaluate(devset=TASK.devset, metric=TASK.metric, run="part")
    scope, begins = Scope("a piece of a search"), AggregatorActor.on_start

    def given_up(self: AggregatorActor) -> None:
        scope.cancel("nobody needs it")
        begins(self)

    with monkeypatch.context() as patch, within(scope):
        patch.setattr(AggregatorActor, "on_start", given_up)
        with pytest.raises(ScopeCancelledError):
            evaluate(program)

    assert evaluate(program).complete


@pytest.mark.usefixtures("lm")
def test_work_that_was_given_up_can_still_end_the_run_it_has_begun(
    provider: FakeProvider,
) -> None:
    evaluate = dspex.Evaluate(devset=TASK.devset, metric=TASK.metric, persist=False)
    given_up, ended = threading.Event(), threading.Event()

    def piece() -> None:
        run = evaluate.start(dspex.Predict("question -> answer"))
        given_up.wait(PATIENCE)
        run.stop()
        ended.set()

    provider.misbehave(Hang(), times=100)
    task = Task.async_(piece)
    provider.wait_for_in_flight(1, PATIENCE)
    task.ref.kill()
    given_up.set()

    assert ended.wait(PATIENCE)
    provider.wait_for_idle(PATIENCE)


# Where it is called.


def searched_in(place: str, found: list[Any]) -> None:
    """Compile in a running event loop, or in a thread that is none of ours."""

    def search() -> None:
        found.append(compiled(optimiser()).dump_state())

    async def in_a_loop() -> None:
        search()

    if place == "a running loop":
        asyncio.run(in_a_loop())
        return
    context = contextvars.copy_context()
    thread = threading.Thread(target=context.run, args=[search])
    thread.start()
    thread.join(PATIENCE)


@pytest.mark.usefixtures("lm")
@pytest.mark.parametrize("place", ["a running loop", "a thread"])
def test_it_finds_the_same_wherever_it_is_called(place: str) -> None:
    found: list[Any] = [compiled(optimiser()).dump_state()]

    searched_in(place, found)

    assert len(found) == 2
    assert found[0] == found[1]


@pytest.mark.usefixtures("lm")
def test_two_studies_at_a_time_find_and_spend_what_each_does_alone(
    provider: FakeProvider,
) -> None:
    alone = compiled(optimiser()).dump_state()
    before = len(provider.bill)
    searches = [optimiser(), optimiser()]
    found: list[Any] = []

    def search(how: BootstrapFewShotWithRandomSearch, run: str) -> None:
        found.append(compiled(how, run=run).dump_state())

    threads = [
        threading.Thread(
            target=contextvars.copy_context().run, args=[search, how, f"tuning{number}"]
        )
        for number, how in enumerate(searches)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)

    assert found == [alone, alone]
    spent = [each.study.spent.calls for each in searches if each.study is not None]
    # Demos that were begun and not needed were broken off, perhaps before they arrived.
    asked = len(provider.bill) - before
    assert asked <= sum(spent) <= asked + 2 * HANDS


# What goes wrong.


@pytest.mark.usefixtures("lm")
def test_a_metric_that_fails_on_all_ends_the_search_early_with_its_own_words(
    provider: FakeProvider, tmp_path: Path
) -> None:
    table = tmp_path / "table.txt"

    def metric(example: dspex.Example, prediction: Any, trace: Any = None) -> bool:
        return table.read_text() == "right" and TASK.metric(example, prediction)

    how = BootstrapFewShotWithRandomSearch(
        metric, num_candidate_programs=1, max_errors=3, num_threads=2
    )

    with pytest.raises(dspex.EvaluationError, match=r"table\.txt") as caught:
        compiled(how, run="tuning")

    # How far the hands run ahead until the errors are counted is the machine's matter.
    assert len(provider.bill) <= 30
    assert "run='tuning'" in "".join(caught.value.__notes__)
    assert how.study is not None
    assert how.study.ended == "failed"


@pytest.mark.usefixtures("lm")
def test_a_search_goes_on_when_the_provider_answers_again(
    provider: FakeProvider, tmp_path: Path
) -> None:
    whole = compiled(optimiser()).dump_state()
    provider.misbehave(WRONG_KEY)

    with pytest.raises(dspex.EvaluationError, match="wrong API key"):
        compiled(optimiser(), run="tuning")
    provider.behave()
    # As another process does: this one does not ask again with a key that was refused.
    with dspex.Runtime(dspex.Config(home=tmp_path)):
        found = compiled(optimiser(), run="tuning").dump_state()

    assert found == whole


def test_a_full_disk_holds_a_study_up_and_costs_nothing(
    lm: dspex.LM, provider: FakeProvider
) -> None:
    whole = compiled(optimiser()).dump_state()
    calls = len(provider.bill)
    how = optimiser(num_threads=1)

    with chaos(ChaosPlan(disk=DiskChaos(full=3, seconds=0.05))) as report:
        found = compiled(how, run="tuning").dump_state()

    assert report.counts["times the disk was full"] > 0
    assert found == whole
    assert len(provider.bill) <= 2 * calls
    assert how.study is not None
    assert len(load_study("tuning").candidates) == len(how.study.candidates)


DESTROYED = {"deleted": "deleted|cannot be used", "damaged": "record"}
"""What is said of a record, by what befell it."""


def destroys(runs: Path, way: str) -> Callable[..., bool]:
    """A metric in whose midst the records of all runs are deleted, or damaged."""
    asked = itertools.count()

    def metric(example: dspex.Example, prediction: Any, trace: Any = None) -> bool:
        if next(asked) == 70:
            if way == "deleted":
                shutil.rmtree(runs)
            else:
                with contextlib.closing(sqlite3.connect(runs / "tuning.sqlite")) as it:
                    it.execute("DROP TABLE notes")
        return bool(TASK.metric(example, prediction))

    return metric


@pytest.mark.usefixtures("lm")
@pytest.mark.parametrize("way", DESTROYED)
def test_a_study_whose_record_is_destroyed_says_so_and_tells_what_it_found(
    tmp_path: Path, way: str
) -> None:
    how = BootstrapFewShotWithRandomSearch(
        destroys(tmp_path / "runs", way), num_candidate_programs=5, num_threads=1
    )

    with pytest.raises(dspex.DspexError, match=DESTROYED[way]):
        compiled(how, run="tuning")

    assert how.study is not None
    assert how.study.candidates


def test_a_step_whose_provider_is_away_for_a_moment_is_done_once_it_is_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("dspex.teleprompt.studies.study.LOOK_EVERY", 0.001)
    order = Order(
        optimiser="COPRO",
        student=dspex.Predict("question -> answer"),
        metric=TASK.metric,
        trainset=TASK.trainset,
    )
    study = Study(order, run="tuning", steps=Steps("tuning"), is_recorded=False)
    answers: Iterator[Any] = iter(
        [LMConnectionError("no connection", model="m"), "take care", ValueError("bad")]
    )

    def ask() -> Any:
        answer = next(answers)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    assert study.once("instruction", ask) == "take care"
    assert study.once("instruction", ask) == "take care"
    with pytest.raises(ValueError, match="bad"):
        study.once("another", ask)
