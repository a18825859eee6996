"""`GEPA`: instructions evolve, within a study that is kept, paid once and resumed."""

from __future__ import annotations

import itertools
import json
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import dspex
from dspex.core.errors import EvaluationInterrupted, LMAuthError, RunChangedError
from dspex.teleprompt import GEPA
from dspex.teleprompt.gepa.evolving import Evolution
from dspex.teleprompt.studies.order import Order
from dspex.teleprompt.studies.recorded_study import load_study
from dspex.teleprompt.studies.steps import Steps
from dspex.teleprompt.studies.study import PIECES, Study
from dspex.testing import DummyLM, FakeProvider, ScriptedTask, Status
from tests.actors.interrupting import after

TASK = ScriptedTask(
    seed=5,
    train=9,
    dev=12,
    base=0.2,
    words=("verbatim", "lowercase", "tersely"),
    word_gain=0.25,
    proposal_share=0.2,
    echo_share=0.6,
)
CALLS = 48
PATIENCE = 20.0
QA = "question -> answer"


@pytest.fixture
def in_process() -> Iterator[None]:
    lm = TASK.lm()
    with dspex.Runtime(dspex.Config(persist=False)), dspex.context(lm=lm):
        yield


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[FakeProvider]:
    with FakeProvider(answer=TASK.answer) as running:
        lm = dspex.LM("openai/fake", api_base=running.base_url, cache=False)
        with dspex.Runtime(dspex.Config(home=tmp_path)), dspex.context(lm=lm):
            yield running


def optimiser(**options: Any) -> GEPA:
    options = {
        "max_metric_calls": CALLS,
        "reflection_lm": dspex.settings.lm,
        **options,
    }
    return GEPA(options.pop("metric", TASK.feedback_metric), **options)


def compiled(how: GEPA, **options: Any) -> dspex.Predict:
    options = {"trainset": TASK.trainset, "valset": TASK.devset, **options}
    return how.compile(dspex.Predict(QA), **options)


def digest(program: dspex.Program) -> str:
    return json.dumps(program.dump_state(), sort_keys=True)


@pytest.mark.usefixtures("in_process")
def test_the_planted_words_are_found_and_the_student_is_left_as_it_was() -> None:
    how, student = optimiser(), dspex.Predict(QA)
    before = digest(student)

    found = how.compile(student, trainset=TASK.trainset, valset=TASK.devset)

    assert digest(student) == before
    assert all(word in found.signature.instructions for word in TASK.words)
    assert TASK.accuracy(found) == pytest.approx(0.95)
    assert how.study is not None
    assert how.study.lift is not None
    winner = how.study.winner
    assert winner is not None
    assert winner.parents
    assert winner.facts["texts"] == {"self": found.signature.instructions}


def test_a_search_interrupted_again_and_again_ends_as_if_it_had_not_been(
    provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, calls = digest(compiled(optimiser())), len(provider.bill)

    for share in (0.2, 0.6, 0.9):
        with monkeypatch.context() as patch:
            after(calls + round(calls * share), provider, patch)
            with pytest.raises(EvaluationInterrupted, match="run='tuning'"):
                compiled(optimiser(num_threads=2), run="tuning")
    again = optimiser(num_threads=2)
    found = compiled(again, run="tuning")

    assert digest(found) == whole
    assert again.study is not None
    assert again.study.ended == "complete"
    # What was open at an interruption is paid twice, and nothing else.
    assert len(provider.bill) <= 2 * calls + 3 * PIECES
    told = again.study.spent.calls
    assert len(provider.bill) - calls <= told <= len(provider.bill) - calls + 3 * PIECES


def test_ctrl_c_brings_the_best_so_far(
    provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The student is measured on 12 rows first.
    after(20, provider, monkeypatch)

    with pytest.raises(EvaluationInterrupted) as interrupted:
        compiled(optimiser())

    assert isinstance(interrupted.value.best_so_far, dspex.Predict)


def test_a_search_that_is_done_is_recalled_without_a_call_and_can_be_loaded(
    provider: FakeProvider,
) -> None:
    first, again = optimiser(track_stats=True), optimiser(track_stats=True)
    found, calls = compiled(first, run="tuning"), len(provider.bill)

    recalled = compiled(again, run="tuning")

    assert len(provider.bill) == calls
    assert digest(recalled) == digest(found)
    assert again.study is not None
    assert first.study is not None
    assert again.study.candidates == first.study.candidates
    loaded = load_study("tuning")
    assert loaded.candidates == list(first.study.candidates)
    assert loaded.best == first.study.best
    details = vars(recalled)["detailed_results"].to_dict()
    assert details == vars(found)["detailed_results"].to_dict()


@pytest.mark.usefixtures("in_process")
def test_another_setting_under_an_old_name_is_refused_by_name() -> None:
    compiled(optimiser(max_metric_calls=12), run="tuning")

    with pytest.raises(RunChangedError, match="minibatch_size"):
        compiled(
            optimiser(max_metric_calls=12, reflection_minibatch_size=4), run="tuning"
        )


@pytest.mark.parametrize("cap", [5, 20, 41])
def test_a_budget_is_never_exceeded_and_the_best_until_then_is_returned(
    provider: FakeProvider, cap: int
) -> None:
    how = optimiser()

    try:
        compiled(how, budget=dspex.Budget(calls=cap))
    except dspex.DspexError:
        # Nothing was measured: 12 rows are needed for the first.
        assert cap < len(TASK.devset)

    assert len(provider.bill) <= cap
    assert how.study is not None
    assert how.study.ended == "budget"
    assert (how.study.winner is not None) == (cap >= len(TASK.devset))


@pytest.mark.parametrize("most", [5, 31])
def test_a_plan_tells_how_many_calls_there_will_be(
    provider: FakeProvider, most: int
) -> None:
    how, testset = optimiser(max_metric_calls=most), TASK.trainset[:4]
    sets = {"trainset": TASK.trainset, "valset": TASK.devset, "testset": testset}

    plan = how.plan(dspex.Predict(QA), **sets)
    asked_by_planning = len(provider.bill)
    compiled(how, testset=testset)

    least, limit = plan.calls
    assert asked_by_planning == 0
    assert least <= len(provider.bill) <= limit
    assert how.study is not None
    assert "the testset" in str(how.study.lift)


@pytest.mark.usefixtures("in_process")
def test_what_is_found_does_not_depend_on_how_much_is_done_at_a_time() -> None:
    assert digest(compiled(optimiser(num_threads=1))) == digest(
        compiled(optimiser(num_threads=8))
    )


class TwoSteps(dspex.Program):
    """Plans, and answers."""

    def __init__(self) -> None:
        self.plan = dspex.Predict("question -> plan")
        self.answer = dspex.Predict("question, plan -> answer")

    def forward(self, question: str) -> dspex.Prediction:
        return self.answer(question=question, plan=self.plan(question=question).plan)


@pytest.mark.usefixtures("in_process")
def test_the_metric_is_asked_about_each_predictor_with_its_own_step() -> None:
    asked: list[tuple[str, list[str], list[str], str]] = []
    lock = threading.Lock()

    def metric(
        gold: Any, pred: Any, trace: Any, pred_name: Any, pred_trace: Any
    ) -> dspex.Prediction:
        if pred_name is None:
            assert trace is pred_trace is None
        else:
            whole = [",".join(step[2].keys()) for step in trace]
            mine = [",".join(step[2].keys()) for step in pred_trace]
            with lock:
                told = pred_trace[0][0].signature.instructions
                asked.append((pred_name, whole, mine, told))
        return TASK.feedback_metric(gold, pred, trace, pred_name, pred_trace)

    how = optimiser(metric=metric, max_metric_calls=70)
    how.compile(TwoSteps(), trainset=TASK.trainset, valset=TASK.devset)

    assert {name for name, *_ in asked} == {"plan", "answer"}
    for name, whole, mine, _ in asked:
        assert (whole, mine) == (["plan", "answer"], [name])
    assert how.study is not None
    tried = {text for each in how.study.candidates for text in texts(each).values()}
    # The predictors that a metric is shown are those of the candidate that was run.
    assert {told for *_, told in asked} <= tried


def texts(candidate: Any) -> Mapping[str, str]:
    found: Mapping[str, str] = candidate.facts["texts"]
    return found


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize("where", ["metric", "proposer"])
def test_an_error_of_whoever_reflects_is_raised_and_ends_the_search(where: str) -> None:
    def metric(
        gold: Any, pred: Any, trace: Any, pred_name: Any, pred_trace: Any
    ) -> float:
        if where == "metric" and pred_name is not None:
            raise LookupError("lost")
        return 0.0

    def proposer(**_: Any) -> dict[str, str]:
        raise LookupError("lost")

    with pytest.raises(LookupError, match="lost"):
        compiled(optimiser(metric=metric, instruction_proposer=proposer))


def test_a_model_that_is_gone_when_it_is_to_reflect_ends_the_search(
    provider: FakeProvider,
) -> None:
    provider.misbehave(Status(401), on=lambda request: request.body["model"] == "gone")
    gone = dspex.LM("openai/gone", api_base=provider.base_url, cache=False)

    with pytest.raises(LMAuthError):
        compiled(optimiser(reflection_lm=gone, metric=lambda *_: 0.0))


@pytest.mark.usefixtures("in_process")
def test_a_reflection_that_does_not_fit_changes_nothing() -> None:
    mute = DummyLM(itertools.repeat("no fields here"))
    how = optimiser(reflection_lm=mute, metric=lambda *_: 0.0)

    found = compiled(how)

    assert digest(found) == digest(dspex.Predict(QA))
    assert how.study is not None
    assert len(how.study.candidates) == 1


@pytest.mark.usefixtures("in_process")
def test_rows_without_an_answer_are_not_reflected_on() -> None:
    seen: list[Any] = []

    class Breaking(dspex.Program):
        def __init__(self) -> None:
            self.answer = dspex.Predict(QA)

        def forward(self, question: str) -> Any:
            answer = self.answer(question=question)
            if question == TASK.trainset[0].question:
                raise LookupError("lost")
            return answer

    def proposer(*, reflective_dataset: Any, **_: Any) -> dict[str, str]:
        seen.extend(reflective_dataset["answer"])
        return {"answer": f"Answer well ({len(seen)})."}

    def metric(
        gold: Any, pred: Any, trace: Any, pred_name: Any, pred_trace: Any
    ) -> float:
        return float(pred.answer == gold.answer)

    how = optimiser(metric=metric, instruction_proposer=proposer, failure_score=-1.0)
    how.compile(Breaking(), trainset=TASK.trainset, valset=TASK.trainset)

    assert how.study is not None
    assert how.study.candidates[0].scores[0] == -1.0
    questions = {told["Inputs"]["question"] for told in seen}
    assert questions
    assert TASK.trainset[0].question not in questions
    assert any("score of" in told["Feedback"] for told in seen)


@pytest.mark.parametrize("is_wanted", [True, False])
def test_answers_that_do_not_fit_are_reflected_on_when_asked_for(
    is_wanted: bool,
) -> None:
    seen: list[Any] = []
    rows = [dspex.Example(question="1+1", answer="2").with_inputs("question")] * 3

    def proposer(*, reflective_dataset: Any, **_: Any) -> dict[str, str]:
        seen.extend(reflective_dataset["self"])
        return {"self": "Write the field."}

    how = GEPA(
        lambda *_: 1.0,
        max_metric_calls=8,
        instruction_proposer=proposer,
        add_format_failure_as_feedback=is_wanted,
    )
    mute = DummyLM(itertools.repeat("no fields here"))
    with dspex.Runtime(dspex.Config(persist=False)), dspex.context(lm=mute):
        how.compile(dspex.Predict(QA), trainset=rows)

    assert bool(seen) == is_wanted
    for told in seen:
        assert told["Inputs"] == {"question": "1+1"}
        assert told["Feedback"].endswith("each of these fields: answer")


@pytest.mark.usefixtures("in_process")
def test_the_winner_has_dspys_detailed_results_where_asked_for() -> None:
    how = optimiser(track_stats=True, track_best_outputs=True)

    found = compiled(how)

    details = vars(found)["detailed_results"]
    assert how.study is not None
    candidates = how.study.candidates
    assert details.best_idx == how.study.best
    assert details.best_candidate is found
    assert details.parents == [[None], *([*each.parents] for each in candidates[1:])]
    for mean, each in zip(details.val_aggregate_scores, candidates, strict=True):
        assert round(100 * mean, 2) == each.score
    assert details.discovery_eval_counts[0] == 0
    assert sorted(details.discovery_eval_counts) == details.discovery_eval_counts
    assert details.total_metric_calls >= CALLS
    best = details.highest_score_achieved_per_val_task
    for row, numbers in details.per_val_instance_best_candidates.items():
        for number in numbers:
            assert details.val_subscores[number][row] == best[row]
        for number, output in details.best_outputs_valset[row]:
            assert number in numbers
            right = output.answer == TASK.devset[row].answer
            assert float(right) == best[row]
    assert json.loads(json.dumps(details.to_dict()["candidates"]))
    # It stands beside the program, and is no part of it.
    assert [name for name, _ in found.named_predictors()] == ["self"]
    assert "detailed_results" not in vars(found.deepcopy())


@pytest.mark.usefixtures("in_process")
def test_every_candidate_is_written_to_the_folder_that_is_named(tmp_path: Path) -> None:
    how = optimiser(log_dir=tmp_path / "log")

    compiled(how)

    assert how.study is not None
    files = sorted((tmp_path / "log" / "evaluated_programs").iterdir())
    assert len(files) == len(how.study.candidates)
    loaded = dspex.Predict(QA)
    loaded.load(files[0])
    assert digest(loaded) == digest(dspex.Predict(QA))


@pytest.mark.usefixtures("in_process")
def test_a_selector_of_ones_own_chooses_what_is_rewritten() -> None:
    def only_answer(*_: Any) -> list[str]:
        return ["answer"]

    how = optimiser(component_selector=only_answer)
    found = how.compile(TwoSteps(), trainset=TASK.trainset, valset=TASK.devset)

    given = TwoSteps()
    assert found.plan.signature.instructions == given.plan.signature.instructions
    with pytest.raises(dspex.ConfigurationError, match="component_selector"):
        optimiser(component_selector=lambda *_: ["nobody"]).compile(
            TwoSteps(), trainset=TASK.trainset, valset=TASK.devset
        )


@pytest.mark.usefixtures("in_process")
def test_a_proposer_that_returns_something_else_is_told() -> None:
    how = optimiser(instruction_proposer=lambda **_: {"nobody": "text"})

    with pytest.raises(dspex.ConfigurationError, match="instruction_proposer"):
        compiled(how)


def test_what_makes_no_sense_is_refused() -> None:
    lm = DummyLM([])

    def metric(*_: Any) -> float:
        return 0.0

    with pytest.raises(dspex.MetricArgumentsError, match="five arguments"):
        GEPA(lambda gold, pred: 0.0, auto="light", reflection_lm=lm)
    with pytest.raises(dspex.ConfigurationError, match="exactly one"):
        GEPA(metric, reflection_lm=lm)
    with pytest.raises(dspex.ConfigurationError, match="exactly one"):
        GEPA(metric, auto="light", max_metric_calls=3, reflection_lm=lm)
    with pytest.raises(dspex.ConfigurationError, match="reflect"):
        GEPA(metric, auto="light")
    with pytest.raises(dspex.ConfigurationError, match="track_stats"):
        GEPA(metric, auto="light", reflection_lm=lm, track_best_outputs=True)
    with pytest.raises(dspex.ConfigurationError, match="run_dir"):
        GEPA(metric, auto="light", reflection_lm=lm, gepa_kwargs={"run_dir": "x"})
    how = GEPA(metric, auto="light", reflection_lm=lm)
    row = TASK.trainset[:1]
    with pytest.raises(dspex.ConfigurationError, match="teacher"):
        how.compile(dspex.Predict(QA), trainset=row, teacher=dspex.Predict(QA))
    with pytest.raises(dspex.ConfigurationError, match="no predictor"):
        how.compile(dspex.Program(), trainset=row)


def test_a_module_that_only_has_the_name_of_the_package_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    script = ModuleType("gepa")
    script.__file__ = "gepa.py"
    monkeypatch.setitem(sys.modules, "gepa", script)

    with pytest.raises(dspex.ConfigurationError, match=r"gepa\.py"):
        GEPA(lambda *_: 0.0, auto="light", reflection_lm=DummyLM([]))


@pytest.mark.usefixtures("in_process")
def test_a_merge_that_was_tried_is_the_same_in_every_process() -> None:
    """The package takes the texts of a merge in the order of a set of names."""
    how = optimiser()
    evolving = how._evolving(TwoSteps(), TASK.trainset, TASK.devset)
    order = Order(
        optimiser="GEPA",
        student=TwoSteps(),
        metric=TASK.metric,
        trainset=TASK.trainset,
    )
    steps = Steps("tuning")
    before = {"plan": "Plan as before.", "answer": "Answer as before."}
    steps.once("step.eval00000.texts", lambda: before)
    study = Study(order, run="tuning", steps=steps, is_recorded=False)

    merged = {"plan": "Plan otherwise.", "answer": "Answer otherwise."}
    evolution = Evolution(study, evolving, TASK.devset)
    evolution.rolled_out(merged, TASK.devset[:2])
    evolution.measured(0, merged, [])

    assert merged == before
    [candidate] = study.candidates
    assert candidate.program.plan.signature.instructions == "Plan as before."
