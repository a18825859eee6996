"""`ScriptedTask`: accuracies that are known, so that optimisers can be judged."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import dspex
from dspex.core.adapters import Adapter, ChatAdapter, LineAdapter
from dspex.testing import ScriptedTask

QA = "question -> answer"


def told(program: dspex.Predict, *words: str) -> dspex.Predict:
    signature = program.signature.with_instructions(" ".join(["Answer", *words]))
    program.signature = signature
    return program


def right(task: ScriptedTask, program: dspex.Predict) -> set[int]:
    """The examples a program answers right."""
    with dspex.context(lm=task.lm()):
        return {
            number
            for number, row in enumerate(task.devset)
            if task.metric(row, program(**row.inputs()))
        }


@given(
    words=st.sets(st.sampled_from(["verbatim", "lowercase", "boldly", "and"])),
    useful=st.integers(0, 6),
    useless=st.integers(0, 6),
)
def test_accuracy_is_the_documented_function_of_words_and_demos(
    words: set[str], useful: int, useless: int
) -> None:
    task = ScriptedTask(dev=3)
    program = told(dspex.Predict(QA), *words)
    helpful = [row for row in task.trainset if task.is_useful(row)]
    program.demos = [row for row in task.trainset if not task.is_useful(row)][:useless]
    program.demos += helpful[:useful]

    planted = len(words & {"verbatim", "lowercase"})
    expected = 0.3 + 0.1 * planted + 0.1 * min(useful, 4)
    assert math.isclose(task.accuracy(program), expected)


def test_the_best_program_has_the_optimum_and_no_better_can_be() -> None:
    task = ScriptedTask(kinds=3, train=60, dev=9)
    best = task.best_program()

    everything = told(dspex.Predict(QA), *task.words, *task.words)
    everything.demos = list(task.trainset)

    assert task.accuracy(best) == task.accuracy(everything) == task.optimum
    assert math.isclose(task.optimum, 0.9)


def test_what_is_measured_is_near_what_is_true() -> None:
    task = ScriptedTask(dev=1_000)
    program = told(dspex.Predict(QA), "verbatim")

    measured = len(right(task, program)) / 1_000

    deviation = math.sqrt(0.4 * 0.6 / 1_000)
    assert abs(measured - task.accuracy(program)) < 3 * deviation


def test_a_better_program_answers_right_all_that_a_worse_one_does() -> None:
    task = ScriptedTask()

    worse = right(task, dspex.Predict(QA))
    better = right(task, told(dspex.Predict(QA), "verbatim", "lowercase"))

    assert worse < better


def test_the_same_seed_is_the_same_task_and_another_is_another() -> None:
    first, again, other = ScriptedTask(), ScriptedTask(), ScriptedTask(seed=1)
    program = dspex.Predict(QA)

    assert first.devset == again.devset
    assert first.devset != other.devset
    assert right(first, program) == right(again, program)
    assert right(first, program) != right(other, program)


def test_a_demo_of_another_kind_a_wrong_one_and_a_repeated_one_do_not_help() -> None:
    task = ScriptedTask(kinds=2)
    useful = [row for row in task.trainset if task.is_useful(row)]
    other = next(row for row in useful if "kind1-" in row.question)
    same = next(row for row in useful if "kind0-" in row.question)
    program = dspex.Predict(QA)
    asked = [row for row in task.devset if "kind0-" in row.question]

    accuracies = []
    for demos in ([other], [same], [same, same], [same.copy(answer="ffff")]):
        program.demos = demos
        accuracies.append(task.accuracy(program, asked))

    assert accuracies == [0.3, 0.4, 0.4, 0.3]


def test_no_example_is_in_both_sets() -> None:
    task = ScriptedTask()

    questions = {row.question for row in (*task.trainset, *task.devset)}

    assert len(questions) == len(task.trainset) + len(task.devset) == 300


@pytest.mark.parametrize(
    "adapter", [ChatAdapter(), LineAdapter()], ids=lambda a: a.name
)
def test_programs_that_think_first_are_answered_through_any_adapter(
    adapter: Adapter,
) -> None:
    task = ScriptedTask(base=1.0, dev=3)
    program = dspex.ChainOfThought(QA)
    program.predict.demos = [
        dspex.Example(row, reasoning="Known.") for row in task.trainset[:1]
    ]

    with dspex.context(lm=task.lm(adapter)):
        answers = [program(**row.inputs()).answer for row in task.devset]

    assert answers == [row.answer for row in task.devset]


def test_a_rollout_or_a_seed_draws_anew() -> None:
    task = ScriptedTask(base=0.5, words=(), demo_gain=0)
    lm = task.lm()
    question = task.devset[0].question

    plain = {lm(question)[0] for _ in range(20)}
    drawn = {lm(question, rollout_id=number)[0] for number in range(20)}
    several = set(lm(question, n=20))

    assert (len(plain), len(drawn), len(several)) == (1, 2, 2)


def test_whoever_asks_for_an_instruction_gets_words_that_may_help() -> None:
    task = ScriptedTask(dev=2)
    proposer = dspex.Predict("attempt: int -> instruction, reason")
    with dspex.context(lm=task.lm()):
        texts = [proposer(attempt=number).instruction for number in range(20)]
        again = [proposer(attempt=number).instruction for number in range(20)]

    assert texts == again
    assert any("verbatim" in text and "lowercase" in text for text in texts)
    assert any("verbatim" not in text for text in texts)
    accuracy = max(task.accuracy(told(dspex.Predict(QA), text)) for text in texts)
    assert math.isclose(accuracy, 0.5)


def reflections(task: ScriptedTask, feedback: str, count: int = 200) -> list[str]:
    """What the model proposes, told of this feedback on examples of the task."""
    reflect = dspex.Predict("attempt: int, examples -> improved_instruction")
    examples = f"{task.trainset[0].question} {feedback}"
    with dspex.context(lm=task.lm()):
        return [
            reflect(attempt=number, examples=examples).improved_instruction
            for number in range(count)
        ]


def test_an_instruction_is_proposed_also_where_examples_are_shown() -> None:
    texts = reflections(ScriptedTask(), "Wrong.", count=3)

    assert all(text.startswith("Give the code of the item") for text in texts)


@given(mentions=st.integers(0, 3))
@settings(max_examples=4, deadline=None)
def test_a_word_is_taken_up_with_the_chance_that_its_mentions_give(
    mentions: int,
) -> None:
    task = ScriptedTask(proposal_share=0.2, echo_share=0.5)

    texts = reflections(task, "Verbatim! " * mentions)

    chance = 1 - 0.8 * 0.5**mentions
    deviation = math.sqrt(chance * (1 - chance) / len(texts))
    taken_up = sum("verbatim" in text for text in texts) / len(texts)
    assert abs(taken_up - chance) < 4 * deviation
    other = sum("lowercase" in text for text in texts) / len(texts)
    assert abs(other - 0.2) < 4 * math.sqrt(0.2 * 0.8 / len(texts))


def test_an_empty_demo_and_one_without_its_question_do_not_help() -> None:
    task = ScriptedTask(useful_share=1.0)
    program, whole = dspex.Predict(QA), task.trainset[0]
    only_answer = dspex.Example(answer=whole.answer)
    only_question = dspex.Example(question=whole.question)

    accuracies = []
    for demos in ([only_answer], [only_question], [whole]):
        program.demos = demos
        accuracies.append(task.accuracy(program))

    assert accuracies == [0.3, 0.3, 0.4]


def hints(task: ScriptedTask, program: dspex.Predict) -> list[str]:
    """What is said of wrong answers of a program."""
    wrong = dspex.Prediction(answer="wrong")
    step: tuple[Any, ...] = (program, {}, wrong)
    said = [
        task.feedback_metric(row, wrong, [step], "self", [step]) for row in task.devset
    ]
    assert {each.score for each in said} == {0.0}
    return [each.feedback for each in said]


def test_feedback_names_a_word_that_is_missing_for_a_share_of_wrong_answers() -> None:
    task = ScriptedTask(dev=300, hint_share=0.25)

    bare = hints(task, dspex.Predict(QA))
    half = hints(task, told(dspex.Predict(QA), "verbatim"))
    whole = hints(task, told(dspex.Predict(QA), *task.words))

    def naming(said: list[str], *words: str) -> int:
        return sum(any(word in each for word in words) for each in said)

    assert 50 <= naming(bare, *task.words) <= 100
    assert naming(bare, "verbatim") > 0 < naming(bare, "lowercase")
    assert naming(half, "lowercase") == naming(bare, *task.words)
    assert naming(half, "verbatim") == naming(whole, *task.words) == 0
    assert bare == hints(task, dspex.Predict(QA))


def test_feedback_tells_the_right_answer_and_scores_as_the_metric_does() -> None:
    task = ScriptedTask()
    row = task.trainset[0]

    right = task.feedback_metric(row, dspex.Prediction(answer=row.answer))
    wrong = task.feedback_metric(row, dspex.Prediction(answer="wrong"))

    assert (right.score, right.feedback) == (1.0, "Right.")
    assert wrong.score == 0.0
    assert row.answer in wrong.feedback


def test_a_program_that_asks_twice_counts_by_its_last_call() -> None:
    task = ScriptedTask()

    class Twice(dspex.Program):
        def __init__(self) -> None:
            self.draft = told(dspex.Predict(QA), "verbatim", "lowercase")
            self.final = told(dspex.Predict("question, draft -> answer"), "verbatim")

        def forward(self, question: str) -> dspex.Prediction:
            draft = self.draft(question=question).answer
            return self.final(question=question, draft=draft)

    assert task.accuracy(Twice()) == 0.4


def test_the_models_of_a_program_are_left_as_they_were() -> None:
    task = ScriptedTask()
    program, own = dspex.Predict(QA), task.lm()
    program.lm = own

    task.accuracy(program)

    assert program.lm is own
    assert len(own.history) == 0


def test_a_function_has_an_accuracy_too() -> None:
    task = ScriptedTask()
    predict = dspex.Predict(QA)

    def program(question: str) -> dspex.Prediction:
        return predict(question=question)

    assert task.accuracy(program) == 0.3
    assert task.accuracy(program, []) == 0.0


def test_a_program_that_does_not_ask_has_no_accuracy() -> None:
    with pytest.raises(dspex.DataError, match="asked its model nothing"):
        ScriptedTask().accuracy(lambda question: question)


def test_a_prompt_without_a_question_has_no_chance() -> None:
    with pytest.raises(dspex.DataError, match="no item"):
        ScriptedTask().chance([{"role": "user", "content": "Hello"}])


def test_a_chance_is_at_most_one() -> None:
    assert ScriptedTask(base=0.9).optimum == 1.0


def test_too_few_useful_examples_for_an_optimum_are_told() -> None:
    with pytest.raises(dspex.DataError, match="useful_share"):
        ScriptedTask(train=5).best_program()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("base", 1.1),
        ("word_gain", -0.1),
        ("kinds", 0),
        ("train", -1),
        ("echo_share", 2),
    ],
)
def test_what_makes_no_sense_is_refused(name: str, value: float) -> None:
    setting: dict[str, float] = {name: value}

    with pytest.raises(dspex.ConfigurationError, match=name):
        ScriptedTask(**setting)  # type: ignore[arg-type] # one of them at a time
