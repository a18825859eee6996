"""Evolution of instructions: the package `gepa` decides, a study runs and reflects."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, Literal

from dspex.core.errors import AdapterError, AdapterParseError, ConfigurationError
from dspex.core.example import Example
from dspex.core.lm import LanguageModel
from dspex.core.prediction import Prediction
from dspex.core.signature import InputField, OutputField, Signature
from dspex.evaluate.metric import judgement_of
from dspex.evaluate.options import RunOptions
from dspex.evaluate.outcome import Outcome
from dspex.evaluate.record.codec import encode
from dspex.evaluate.record.fingerprint import fingerprints
from dspex.evaluate.result import EvaluationResult
from dspex.evaluate.worker import Measured, WorkFailed
from dspex.programs.predict import Predict
from dspex.programs.program import Program
from dspex.programs.settings import context, settings
from dspex.teleprompt.candidate import Candidate
from dspex.teleprompt.order import ANY_SCORE
from dspex.teleprompt.study import Study

Texts = dict[str, str]
"""A candidate of `gepa`: the instruction of each predictor by its name."""

GIVEN: Final = "the program given"
"""What the first candidate is called."""
_FORM: Final = "The answer did not have the form that was asked for."


class ReflectOnFeedback(Signature):
    """Write a better instruction for a language model, in the light of what it did.

    You are shown its instruction, and examples of what it was asked, what it answered,
    and what was said of that. Keep what is specific to the task and shows in the
    examples (facts, forms, names), as the model sees only your instruction.
    """

    current_instruction: str = InputField(desc="The instruction it had")
    examples: str = InputField(desc="What it was asked and answered, with feedback")
    improved_instruction: str = OutputField(desc="The instruction you propose")


@dataclass(frozen=True, slots=True, kw_only=True)
class Evolving:
    """How instructions evolve; see `GEPA`, whose words these are."""

    metric: Callable[..., Any]
    metric_calls: int
    """Examples that are scored, at most but for the last evaluation."""
    minibatch_size: int
    selection: Literal["pareto", "current_best"]
    components: str
    reflection_lm: LanguageModel | None
    proposer: Callable[..., Mapping[str, str]] | None
    skip_perfect_score: bool
    reflects_on_format: bool
    merges: int
    """How often candidates are merged at most; 0 for never."""
    failure_score: float
    perfect_score: float
    seed: int

    def parameters(self) -> dict[str, Any]:
        """Return what decides what is found, beside the metric."""
        names = [name for name in self.__slots__ if name != "metric"]
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What came of one example, to be reflected on."""

    example: Example
    prediction: Any
    score: float
    steps: Sequence[Mapping[str, Any]]
    """By step: the predictor's name, its inputs, and its outputs or what it said."""


class Evolution:
    """The search of `GEPA`.

    Args:
        study: The study it works in.
        how: How instructions evolve.
        rows: The rows to choose by.
    """

    def __init__(self, study: Study, how: Evolving, rows: Sequence[Example]) -> None:
        self._study = study
        self._how = how
        self._rows = rows
        self._evaluations = 0
        self._reflections = 0
        self._numbers: dict[tuple[tuple[str, str], ...], int] = {}

    def best(self) -> Candidate:
        """Evolve until as many examples are scored as there may be."""
        gepa, how, student = import_gepa(), self._how, self._study.order.student
        seed = {
            name: predictor.signature.instructions
            for name, predictor in student.named_predictors()
        }
        result = gepa.optimize(
            seed_candidate=seed,
            trainset=list(self._study.order.trainset),
            valset=list(self._rows),
            adapter=_Adapter(self, gepa),
            candidate_selection_strategy=how.selection,
            skip_perfect_score=how.skip_perfect_score,
            reflection_minibatch_size=how.minibatch_size,
            perfect_score=how.perfect_score,
            module_selector=how.components,
            use_merge=how.merges > 0,
            max_merge_invocations=how.merges,
            max_metric_calls=how.metric_calls,
            logger=_Quiet(),
            track_best_outputs=False,
            display_progress_bar=False,
            raise_on_exception=True,
            seed=how.seed,
        )
        self._tell_parents(result)
        number = self._numbers[_key(result.best_candidate)]
        return next(each for each in self._study.candidates if each.number == number)

    # What the package asks for.

    def program_of(self, texts: Mapping[str, str]) -> Program:
        """Return the student with these instructions."""
        program = self._study.order.student.deepcopy()
        for name, predictor in program.named_predictors():
            if name in texts:
                predictor.signature = predictor.signature.with_instructions(texts[name])
        return program

    def ran(self, rows: Sequence[Example], texts: Texts) -> list[Ran]:
        """Run a candidate on rows, and return what came of each."""
        program, how = self.program_of(texts), self._how
        name = f"eval{self._evaluations:04d}"
        self._evaluations += 1
        options = RunOptions(
            label=name,
            metric_range=ANY_SCORE,
            max_errors=self._study.order.max_errors,
            failure_score=how.failure_score,
            fingerprints=lambda: fingerprints(
                program, how.metric, lm=settings.lm, adapter=settings.adapter
            ),
        )
        result = self._study.work(name, rows, self._work(program), options)
        if len(rows) == len(self._rows) and list(rows) == list(self._rows):
            self._report(texts, program, result)
        pairs = zip(rows, result.outcomes, strict=True)
        return [self._ran(example, outcome) for example, outcome in pairs]

    def _work(self, program: Program) -> Callable[[Example], Measured]:
        metric = self._how.metric
        names = {id(one): name for name, one in program.named_predictors()}

        def work(example: Example) -> Measured:
            trace: list[Any] = []
            try:
                with context(trace=trace):
                    prediction = program(**example.inputs())
            except BaseException as error:
                failed = WorkFailed(error, "program")
                failed.value = {
                    "steps": [*_steps(trace, names), *_unfit(error, program)]
                }
                raise failed from error
            steps = _steps(trace, names)
            try:
                told = metric(example, prediction, trace, None, None)
                judgement = judgement_of(told, "metric")
            except BaseException as error:
                raise WorkFailed(error, "metric", prediction) from error
            measured = Measured.of(judgement, prediction)
            return replace(measured, value={"steps": steps})

        return work

    def _ran(self, example: Example, outcome: Outcome | None) -> Ran:
        score = None if outcome is None else outcome.score
        value = None if outcome is None else outcome.value
        return Ran(
            example=example,
            prediction=None if outcome is None else outcome.prediction,
            score=self._how.failure_score if score is None else score,
            steps=value["steps"] if isinstance(value, Mapping) else (),
        )

    def feedback(self, name: str, ran: Sequence[Ran]) -> list[dict[str, Any]]:
        """Return what there is to say of a predictor in some runs."""
        step_name = f"words{self._evaluations:04d}.{self._place_of(name)}"
        rng = random.Random(f"{self._how.seed} {step_name}")  # noqa: S311 - to be repeated, no secret
        told = []
        for number, each in enumerate(ran):
            mine = [step for step in each.steps if step["predictor"] == name]
            if not self._how.reflects_on_format:
                mine = [step for step in mine if isinstance(step["outputs"], Mapping)]
            if mine:
                chosen = rng.choice(mine)
                words = partial(self._words, name, each, chosen)
                # A metric may ask a model what to say.
                said = self._study.once(f"{step_name}.{number}", words)
                told.append(
                    {
                        "Inputs": dict(chosen["inputs"]),
                        "Generated Outputs": chosen["outputs"],
                        "Feedback": said,
                    }
                )
        return told

    def _words(self, name: str, ran: Ran, step: Mapping[str, Any]) -> str:
        if not isinstance(step["outputs"], Mapping):
            return _FORM
        predictors = dict(self._study.order.student.named_predictors())
        trace = [
            (
                predictors[each["predictor"]],
                each["inputs"],
                Prediction(**each["outputs"]),
            )
            for each in ran.steps
            if isinstance(each["outputs"], Mapping)
        ]
        one = [(predictors[name], step["inputs"], Prediction(**step["outputs"]))]
        told = self._how.metric(ran.example, ran.prediction, trace, name, one)
        words = getattr(told, "feedback", None)
        return str(words) if words else f"This run got a score of {ran.score}."

    def propose(
        self,
        texts: Texts,
        told: Mapping[str, Sequence[Mapping[str, Any]]],
        names: Sequence[str],
    ) -> Texts:
        """Return new instructions for some predictors, as a model reflects on runs."""
        number = self._reflections
        self._reflections += 1
        how = self._how
        if how.proposer is not None:
            custom = partial(
                how.proposer,
                candidate=texts,
                reflective_dataset=told,
                components_to_update=list(names),
            )
            asked = partial(self._asked, lambda: dict(custom()))
            return self._study.once(f"reflection{number:04d}", asked)
        found = {}
        for name in names:
            if name in told:
                reflect = partial(self._reflected, texts[name], told[name])
                step = f"reflection{number:04d}.{self._place_of(name)}"
                found[name] = self._study.once(step, partial(self._asked, reflect))
        return found

    def _reflected(self, text: str, told: Sequence[Mapping[str, Any]]) -> str:
        examples = "\n\n".join(_shown(each) for each in told)
        predict = Predict(ReflectOnFeedback)
        try:
            said = predict(current_instruction=text, examples=examples)
        except AdapterError:
            # An answer that does not fit changes nothing.
            return text
        return str(said.improved_instruction).strip()

    def _asked(self, ask: Callable[[], Any]) -> Any:
        with ExitStack() as stack:
            if self._how.reflection_lm is not None:
                stack.enter_context(context(lm=self._how.reflection_lm))
            return ask()

    def _place_of(self, name: str) -> str:
        names = [each for each, _ in self._study.order.student.named_predictors()]
        return f"p{names.index(name)}"

    # What it tells its study.

    def _report(self, texts: Texts, program: Program, result: EvaluationResult) -> None:
        number = self._numbers.setdefault(_key(texts), len(self._numbers))
        label = GIVEN if number == 0 else next(iter(self._changed(texts)), "unchanged")
        self._study.report(
            Candidate.measured(
                program,
                result,
                number=number,
                label=label,
                origin="as it was given" if number == 0 else "by reflection",
                facts={"texts": dict(texts)},
            )
        )

    def _changed(self, texts: Texts) -> list[str]:
        given = self._study.order.student.named_predictors()
        return [
            texts[name]
            for name, predictor in given
            if texts[name] != predictor.signature.instructions
        ]

    def _tell_parents(self, result: Any) -> None:
        """Note which candidate each one came from, which is known at the end only."""
        numbers = [self._numbers[_key(texts)] for texts in result.candidates]
        by_number = {each.number: each for each in self._study.candidates}
        for place, parents in enumerate(result.parents):
            known = by_number[numbers[place]]
            came_from = [numbers[each] for each in parents if each is not None]
            if came_from and not known.parents:
                origin = "merged" if len(came_from) > 1 else "by reflection"
                told = replace(known, parents=tuple(came_from), origin=origin)
                self._study.report(told)


class _Adapter:
    """What the package `gepa` asks; it is called in the search's thread."""

    def __init__(self, evolution: Evolution, gepa: Any) -> None:
        self._evolution = evolution
        self._gepa = gepa

    def evaluate(
        self,
        batch: Sequence[Example],
        candidate: Texts,
        capture_traces: bool = False,  # noqa: FBT001, FBT002 - the package's signature
    ) -> Any:
        """Run a candidate on examples."""
        ran = self._evolution.ran(batch, candidate)
        return self._gepa.EvaluationBatch(
            outputs=[each.prediction for each in ran],
            scores=[each.score for each in ran],
            trajectories=ran if capture_traces else None,
        )

    def make_reflective_dataset(
        self,
        candidate: Texts,  # noqa: ARG002 - the package's signature
        eval_batch: Any,
        components_to_update: Sequence[str],
    ) -> dict[str, list[dict[str, Any]]]:
        """Return what there is to say of each predictor that is to be rewritten."""
        told = {
            name: self._evolution.feedback(name, eval_batch.trajectories)
            for name in components_to_update
        }
        return {name: each for name, each in told.items() if each}

    def propose_new_texts(
        self,
        candidate: Texts,
        reflective_dataset: Mapping[str, Sequence[Mapping[str, Any]]],
        components_to_update: Sequence[str],
    ) -> Texts:
        """Return new instructions."""
        return self._evolution.propose(
            candidate, reflective_dataset, components_to_update
        )


class _Quiet:
    """A logger of the package `gepa` that says nothing: the study tells all."""

    def log(self, _message: str) -> None:
        """Say nothing."""


def _steps(trace: Sequence[Any], names: Mapping[int, str]) -> list[dict[str, Any]]:
    """Return the steps of a run as a record keeps them."""
    return [
        {
            "predictor": names[id(predictor)],
            "inputs": dict(inputs),
            "outputs": dict(prediction.items()),
        }
        for predictor, inputs, prediction in trace
        if id(predictor) in names
    ]


def _as_step(
    predictors: Mapping[str, Any], step: Mapping[str, Any]
) -> tuple[Any, Any, Prediction]:
    """Return a kept step as a trace has it, for the metric."""
    outputs = Prediction(**step["outputs"])
    return predictors[step["predictor"]], step["inputs"], outputs


def _unfit(error: BaseException, program: Program) -> list[dict[str, Any]]:
    """Return the step whose answer did not fit, if that is how a run ended."""
    if not isinstance(error, AdapterParseError):
        return []
    made = error.signature
    return [
        {"predictor": name, "inputs": {}, "outputs": error.lm_response}
        for name, predictor in program.named_predictors()
        if predictor.signature is made or predictor.signature.equals(made)
    ][:1]


def _key(texts: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(texts.items()))


def _shown(told: Mapping[str, Any]) -> str:
    return "\n".join(
        f"{name}: {each if isinstance(each, str) else encode(each)}"
        for name, each in told.items()
    )


def import_gepa() -> Any:
    """Return the package `gepa`, which is an extra.

    Raises:
        ConfigurationError: It is not installed.
    """
    try:
        import gepa
    except ImportError:
        raise ConfigurationError(
            "GEPA evolves with the package gepa, which is not installed; expected it. "
            "Install it with: pip install 'dspex[gepa]'"
        ) from None
    return gepa
