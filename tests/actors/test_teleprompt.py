"""The optimisers: DSPy's algorithm, on the evaluation engine."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import dspex
from dspex.core.errors import EvaluationError, EvaluationInterrupted
from dspex.teleprompt import BootstrapFewShot, LabeledFewShot
from dspex.teleprompt.few_shot.bootstrapping import Bootstrapping
from dspex.teleprompt.few_shot.demos import demos_of
from dspex.teleprompt.studies.study_line import StudyLine
from dspex.testing import FakeProvider
from tests.actors.rows import answer, right, rows


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider(answer=answer) as running:
        yield running


@pytest.fixture
def lm(provider: FakeProvider) -> Iterator[dspex.LM]:
    with dspex.Runtime():
        model = dspex.LM("openai/fake", api_base=provider.base_url)
        with dspex.context(lm=model):
            yield model


def predictor() -> dspex.Predict:
    return dspex.Predict("question -> answer")


def bootstrap(**options: Any) -> BootstrapFewShot:
    return BootstrapFewShot(metric=right, display_progress=False, **options)


def questions(demos: list[Any]) -> list[str]:
    return [demo["question"] for demo in demos]


def test_labeled_draws_with_dspys_generator_and_leaves_the_student_alone() -> None:
    student = predictor()

    compiled = LabeledFewShot(k=3).compile(student, trainset=rows(10))

    assert compiled.demos == random.Random(0).sample(list(rows(10)), 3)
    assert student.demos == []


def test_labeled_takes_the_first_when_told_not_to_sample() -> None:
    compiled = LabeledFewShot(k=2).compile(predictor(), trainset=rows(10), sample=False)

    assert questions(compiled.demos) == ["q0", "q1"]


def test_labeled_needs_nobody_to_say_which_fields_are_inputs() -> None:
    example = dspex.Example(question="q", answer="a")

    compiled = LabeledFewShot(k=1).compile(predictor(), trainset=[example])

    assert compiled.demos == [example]


def test_labeled_draws_on_from_predictor_to_predictor() -> None:
    class Two(dspex.Program):
        def __init__(self) -> None:
            self.one, self.two = predictor(), predictor()

    compiled = LabeledFewShot(k=3).compile(Two(), trainset=rows(10))

    rng = random.Random(0)
    assert compiled.one.demos == rng.sample(list(rows(10)), 3)
    assert compiled.two.demos == rng.sample(list(rows(10)), 3)


def test_bootstrap_keeps_the_first_accepted_answers_in_order(lm: dspex.LM) -> None:
    def metric(example: dspex.Example, prediction: Any, trace: Any = None) -> bool:
        return right(example, prediction) and example.question not in {"q0", "q2"}

    optimiser = BootstrapFewShot(
        metric=metric,
        max_bootstrapped_demos=3,
        max_labeled_demos=5,
        display_progress=False,
    )
    compiled = optimiser.compile(predictor(), trainset=rows(20))

    made = [demo for demo in compiled.demos if demo.get("augmented")]
    assert questions(made) == ["q1", "q3", "q4"]
    # The rest is filled up as DSPy does it: shuffled, then drawn, both with seed 0.
    rest = [row for row in rows(20) if row.question not in {"q1", "q3", "q4"}]
    random.Random(0).shuffle(rest)
    assert compiled.demos[3:] == random.Random(0).sample(rest, 2)
    assert compiled._compiled


@pytest.mark.parametrize("threads", [1, 16])
def test_the_result_does_not_depend_on_how_many_work_at_a_time(
    lm: dspex.LM, threads: int
) -> None:
    optimiser = bootstrap(num_threads=threads, max_labeled_demos=6)

    compiled = optimiser.compile(predictor(), trainset=rows(30))

    assert questions(compiled.demos[:4]) == ["q0", "q1", "q2", "q3"]
    assert len(compiled.demos) == 6


def test_it_stops_when_there_are_enough(lm: dspex.LM, provider: FakeProvider) -> None:
    optimiser = bootstrap(num_threads=4)
    optimiser.compile(predictor(), trainset=rows(200))

    assert optimiser.result is not None
    # At most what was in hand when the last one needed came is done in vain.
    assert len(provider.bill) <= 4 + 2 * 4


def test_neither_student_nor_teacher_is_changed(lm: dspex.LM) -> None:
    student, teacher = predictor(), predictor()
    teacher.demos = list(rows(3))

    bootstrap().compile(student, teacher=teacher, trainset=rows(10))

    assert student.demos == []
    assert teacher.demos == list(rows(3))


def test_a_teacher_that_raises_keeps_its_demos(lm: dspex.LM) -> None:
    class Broken(dspex.Program):
        def __init__(self) -> None:
            self.answer = predictor()

        def forward(self, question: str) -> Any:
            raise ZeroDivisionError(question)

    teacher = Broken()
    teacher.answer.demos = list(rows(12))
    teacher._compiled = True

    with pytest.raises(EvaluationError, match="max_errors"):
        bootstrap().compile(Broken(), teacher=teacher, trainset=rows(20))

    assert len(teacher.answer.demos) == 12


def test_no_example_is_shown_its_own_answer(
    lm: dspex.LM, provider: FakeProvider
) -> None:
    bootstrap(max_bootstrapped_demos=5).compile(predictor(), trainset=rows(5))

    for billed in provider.bill:
        turns = [turn["content"] for turn in billed.body["messages"]]
        question = turns[-1].partition("[[ ## question ## ]]")[2].split()[0]
        shown = "".join(turns[1:-1])
        assert f"[[ ## question ## ]]\n{question}\n" not in shown


def test_a_threshold_of_zero_is_a_threshold(lm: dspex.LM) -> None:
    def metric(example: dspex.Example, prediction: Any, trace: Any = None) -> float:
        return -1.0 if example.question == "q0" else 0.0

    optimiser = BootstrapFewShot(
        metric=metric,
        metric_threshold=0.0,
        max_bootstrapped_demos=1,
        max_labeled_demos=1,
        display_progress=False,
    )
    compiled = optimiser.compile(predictor(), trainset=rows(3))

    assert questions(compiled.demos) == ["q1"]


def test_the_metric_is_given_the_trace(lm: dspex.LM) -> None:
    traces: list[Any] = []

    def metric(example: dspex.Example, prediction: Any, trace: Any = None) -> bool:
        traces.append(trace)
        return True

    optimiser = BootstrapFewShot(
        metric=metric, max_bootstrapped_demos=1, num_threads=1, display_progress=False
    )
    optimiser.compile(predictor(), trainset=rows(2))

    ((_, inputs, prediction),) = traces[0]
    assert inputs == {"question": "q0"}
    assert prediction.answer == "a0"


def test_later_rounds_ask_again_at_temperature_one(
    lm: dspex.LM, provider: FakeProvider
) -> None:
    tries: list[int] = []

    def metric(example: dspex.Example, prediction: Any, trace: Any = None) -> bool:
        tries.append(1)
        return len(tries) == 3

    optimiser = BootstrapFewShot(
        metric=metric,
        max_bootstrapped_demos=1,
        max_rounds=3,
        num_threads=1,
        display_progress=False,
    )
    compiled = optimiser.compile(predictor(), trainset=rows(1))

    assert len(tries) == 3
    assert [billed.body.get("temperature") for billed in provider.bill] == [
        None,
        1.0,
        1.0,
    ]
    assert questions(compiled.demos) == ["q0"]


def test_each_predictor_of_a_program_gets_its_own_steps(lm: dspex.LM) -> None:
    class Twice(dspex.Program):
        def __init__(self) -> None:
            self.first, self.second = predictor(), predictor()

        def forward(self, question: str) -> Any:
            self.first(question=question)
            return self.second(question=question)

    optimiser = bootstrap(max_bootstrapped_demos=2, max_labeled_demos=2)
    compiled = optimiser.compile(Twice(), trainset=rows(4))

    assert questions(compiled.first.demos) == ["q0", "q1"]
    assert questions(compiled.second.demos) == ["q0", "q1"]


def test_a_predictor_called_several_times_gives_one_step_and_always_the_same() -> None:
    program = predictor()
    trace = [
        (program, {"question": f"q{n}"}, dspex.Prediction(answer=f"a{n}"))
        for n in range(4)
    ]

    once, again = demos_of(program, trace), demos_of(program, trace)

    ((name, demos),) = once.items()
    assert len(demos) == 1
    assert once == again
    assert name == program.named_predictors()[0][0]


def test_zero_bootstrapped_demos_make_no_call(
    lm: dspex.LM, provider: FakeProvider
) -> None:
    optimiser = bootstrap(max_bootstrapped_demos=0, max_labeled_demos=3)
    compiled = optimiser.compile(predictor(), trainset=rows(10))

    assert provider.bill == ()
    assert len(compiled.demos) == 3


def test_student_and_teacher_must_be_built_alike() -> None:
    with pytest.raises(dspex.ConfigurationError, match="another signature"):
        bootstrap().compile(
            predictor(), teacher=dspex.Predict("question -> reply"), trainset=rows(2)
        )


@pytest.mark.parametrize(
    "options",
    [{"max_rounds": 0}, {"max_labeled_demos": -1}, {"max_bootstrapped_demos": -1}],
)
def test_numbers_that_make_no_sense_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(dspex.ConfigurationError, match="counts"):
        bootstrap(**options)


def test_an_empty_training_set_is_refused() -> None:
    with pytest.raises(dspex.ConfigurationError, match="trainset is empty"):
        bootstrap().compile(predictor(), trainset=[])


def test_ctrl_c_leaves_the_best_so_far(
    lm: dspex.LM, monkeypatch: pytest.MonkeyPatch
) -> None:
    optimiser = bootstrap(num_threads=1, max_labeled_demos=1)
    three, released = threading.Event(), threading.Event()
    attempt = Bootstrapping._attempt

    def slowed(self: Bootstrapping, teacher: Any, example: Any, limit: float) -> Any:
        if example.question == "q3":
            three.set()
            released.wait(20)
        return attempt(self, teacher, example, limit)

    def interrupt(self: StudyLine) -> None:
        assert three.wait(20)
        raise KeyboardInterrupt

    monkeypatch.setattr(Bootstrapping, "_attempt", slowed)
    monkeypatch.setattr(StudyLine, "__call__", interrupt)
    with pytest.raises(EvaluationInterrupted) as caught:
        optimiser.compile(predictor(), trainset=rows(20))
    released.set()

    assert questions(caught.value.best_so_far.demos) == ["q0", "q1", "q2"]
