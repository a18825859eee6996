from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dspex.core.errors import (
    ConfigurationError,
    LMAuthError,
    LMCancelledError,
    MissingInputError,
)
from dspex.core.once import began_unrepeatable
from dspex.core.prediction import Prediction
from dspex.programs import (
    ChainOfThought,
    Predict,
    Program,
    configure,
    context,
    track_usage,
)
from dspex.programs.best_of_n import BestOfN
from dspex.programs.refine import Refine
from tests.unit.programs.fakes import FakeLM, chat


class Scripted(Program):
    """Answers with the values of a list, one a round; an exception is raised."""

    def __init__(self, script: Sequence[Any]) -> None:
        self.script = script
        self.rounds: list[int] = []

    def forward(self, **kwargs: Any) -> Prediction:
        value = self.script[len(self.rounds)]
        self.rounds.append(len(self.rounds))
        if isinstance(value, BaseException):
            raise value
        return Prediction(answer=value)

    def deepcopy(self) -> Scripted:
        return self


def as_number(args: dict[str, Any], prediction: Prediction) -> float:
    return float(prediction.answer)


def best_of(script: Sequence[Any], **options: Any) -> tuple[BestOfN, Scripted]:
    module = Scripted(script)
    wanted = {"N": len(script), "reward_fn": as_number, "threshold": 100.0}
    return BestOfN(module, **{**wanted, **options}), module


@pytest.fixture
def lm() -> FakeLM:
    lm = FakeLM(*(chat(answer=text) for text in ("a b", "a b c", "a")))
    configure(lm=lm)
    return lm


def words(args: dict[str, Any], prediction: Prediction) -> int:
    return len(prediction.answer.split())


def test_the_answer_with_the_highest_reward_is_returned(lm: FakeLM) -> None:
    best = BestOfN(Predict("question -> answer"), 3, words, threshold=9)

    assert best(question="Q?").answer == "a b c"
    assert len(lm.calls) == 3


def test_an_answer_that_is_good_enough_ends_it(lm: FakeLM) -> None:
    best = BestOfN(Predict("question -> answer"), 3, words, threshold=2)

    assert best(question="Q?").answer == "a b"
    assert len(lm.calls) == 1


def test_each_round_is_another_rollout_at_temperature_one(lm: FakeLM) -> None:
    BestOfN(ChainOfThought("question -> answer"), 1, words, threshold=9)
    program = Predict("question -> answer")

    BestOfN(program, 3, words, threshold=9)(question="Q?")

    assert [settings for _, settings in lm.calls] == [
        {"temperature": 1.0, "rollout_id": number} for number in range(3)
    ]
    assert program.config == {}


def test_rollouts_count_on_from_the_models_own_and_settings_of_a_predictor_stay() -> (
    None
):
    lm = FakeLM(chat(answer="a"), rollout_id=5)
    configure(lm=lm)

    BestOfN(Predict("q -> answer", temperature=0.5), 2, words, threshold=9)(q="Q?")

    assert [settings for _, settings in lm.calls] == [
        {"temperature": 0.5, "rollout_id": 5},
        {"temperature": 0.5, "rollout_id": 6},
    ]


def test_only_the_steps_of_the_best_round_are_in_the_trace(lm: FakeLM) -> None:
    program = Predict("question -> answer")
    trace: list[Any] = []

    with context(trace=trace):
        BestOfN(program, 3, words, threshold=9)(question="Q?")

    [(predictor, inputs, prediction)] = trace
    assert predictor is program
    assert inputs == {"question": "Q?"}
    assert prediction.answer == "a b c"


def test_all_rounds_are_counted_as_spent(lm: FakeLM) -> None:
    with track_usage() as tracker:
        BestOfN(Predict("question -> answer"), 3, words, threshold=9)(question="Q?")

    assert tracker.total()["fake/model"].total_tokens == 15


def test_rounds_may_fail_as_long_as_one_answers() -> None:
    best, module = best_of([ValueError("no"), 2, ValueError("no")])

    assert best(q="Q?").answer == 2
    assert len(module.rounds) == 3


def test_when_no_round_answers_the_last_error_is_raised_with_the_others_named() -> None:
    best, _ = best_of([KeyError("first"), ValueError("last")])

    with pytest.raises(ValueError, match="last") as caught:
        best(q="Q?")

    assert "KeyError" in caught.value.__notes__[0]


def test_one_failure_too_many_is_raised_at_once_and_again_at_the_next_call() -> None:
    best, module = best_of([ValueError("no")] * 6, N=3, fail_count=1)

    for rounds in (2, 4):
        with pytest.raises(ValueError, match="no"):
            best(q="Q?")
        assert len(module.rounds) == rounds
    assert best.fail_count == 1


def test_no_failure_is_allowed_when_the_count_is_zero() -> None:
    best, module = best_of([ValueError("no"), 1], fail_count=0)

    with pytest.raises(ValueError, match="no"):
        best(q="Q?")

    assert len(module.rounds) == 1


@pytest.mark.parametrize(
    "error",
    [
        MissingInputError("lacks", missing=("q",)),
        LMAuthError("key"),
        LMCancelledError("given up"),
        KeyboardInterrupt(),
    ],
)
def test_what_would_fail_again_is_not_tried_again(error: BaseException) -> None:
    best, module = best_of([error, 1])

    with pytest.raises(type(error)):
        best(q="Q?")

    assert len(module.rounds) == 1


def test_a_missing_input_is_an_error_before_any_call(lm: FakeLM) -> None:
    with pytest.raises(MissingInputError, match="question"):
        BestOfN(Predict("question -> answer"), 3, words, threshold=1)()

    assert lm.calls == []


@pytest.mark.parametrize("reward", [None, "much", float("nan")])
def test_a_reward_that_is_no_number_is_an_error(reward: Any) -> None:
    best, module = best_of([1, 2], reward_fn=lambda args, pred: reward)

    with pytest.raises(ConfigurationError, match="is no number"):
        best(q="Q?")

    assert len(module.rounds) == 1


def test_a_reward_may_be_a_bool_or_a_prediction_with_a_score() -> None:
    scored, _ = best_of([1, 3, 2], reward_fn=lambda _, p: Prediction(score=p.answer))
    flagged, _ = best_of([1, 3, 2], reward_fn=lambda _, p: p.answer == 3)

    assert scored(q="Q?").answer == flagged(q="Q?").answer == 3


class Effect(Scripted):
    """Runs something in each round that must not be run again."""

    def forward(self, **kwargs: Any) -> Prediction:
        began_unrepeatable("send_mail")
        return super().forward(**kwargs)


def test_a_round_with_an_unrepeatable_tool_is_the_last_one() -> None:
    module = Effect([1, 2])

    answer = BestOfN(module, 2, as_number, threshold=9)(q="Q?")

    assert answer.answer == 1
    assert len(module.rounds) == 1


def test_such_a_round_that_fails_raises_its_error() -> None:
    module = Effect([ValueError("sent, then broke"), 2])

    with pytest.raises(ValueError, match="sent, then broke"):
        BestOfN(module, 2, as_number, threshold=9)(q="Q?")

    assert len(module.rounds) == 1


class Marked(Scripted):
    """A program that is never to be run again."""

    retry = False


def test_a_program_marked_so_is_refused_unless_it_runs_once() -> None:
    with pytest.raises(ConfigurationError, match="retry=False"):
        BestOfN(Marked([1]), 2, as_number, threshold=1)

    assert BestOfN(Marked([1]), 1, as_number, threshold=1)(q="Q?").answer == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"N": 0}, "N=0"),
        ({"N": True}, "N=True"),
        ({"module": len}, "is no program"),
        ({"reward_fn": 1.0}, "cannot be called"),
    ],
)
@pytest.mark.parametrize("kind", [BestOfN, Refine])
def test_what_cannot_be_run_is_refused(
    kind: Callable[..., Any], change: dict[str, Any], said: str
) -> None:
    wanted = {"module": Scripted([1]), "N": 2, "reward_fn": as_number, "threshold": 1}

    with pytest.raises(ConfigurationError, match=said):
        kind(**{**wanted, **change})


@given(
    st.lists(st.one_of(st.integers(-9, 9), st.none()), min_size=1, max_size=8),
    st.integers(-9, 9),
    st.integers(0, 8),
)
def test_it_returns_the_first_best_of_the_rounds_it_ran(
    script: list[int | None], threshold: int, may_fail: int
) -> None:
    values = [ValueError("no") if value is None else value for value in script]
    best, module = best_of(values, threshold=threshold, fail_count=may_fail)

    try:
        answer = best(q="Q?").answer
    except ValueError:
        answer = None

    ran = script[: len(module.rounds)]
    answers = [value for value in ran if value is not None]
    failed = ran.count(None)
    assert failed <= may_fail + 1
    if answer is None:
        assert failed > may_fail or not answers
    else:
        assert answer == max(answers)
        assert all(value < threshold for value in answers[:-1])
        assert len(ran) == len(script) or answer >= threshold
