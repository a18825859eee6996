"""Runs of a candidate on examples, kept so that they can be reflected on.

Nothing here asks a model for more than the program does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dspex.core.errors import AdapterParseError
from dspex.core.example import Example
from dspex.core.prediction import Prediction
from dspex.evaluate.metric import Metric, judge, metric_name
from dspex.evaluate.results.outcome import Outcome
from dspex.evaluate.working.worker import Measured, WorkFailed
from dspex.programs.program import Program
from dspex.programs.settings import context

FeedbackMetric = Callable[..., Any]
"""`metric(gold, pred, trace, pred_name, pred_trace)`: a number, or a `Prediction` with
`score` and `feedback`."""


class Scoring:
    """A metric of five arguments as evaluations call it: it scores a whole program.

    Args:
        metric: The metric; it gets no trace, as in DSPy.
    """

    def __init__(self, metric: FeedbackMetric) -> None:
        self.metric = metric
        self.__name__ = metric_name(metric)

    def __call__(self, example: Example, prediction: Any, trace: Any = None) -> Any:
        """Score a prediction."""
        return self.metric(example, prediction, trace, None, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What one predictor was asked in a run, and what came of it."""

    predictor: str
    """Its name."""
    inputs: Mapping[str, Any]
    """What it was asked."""
    outputs: Mapping[str, Any] | str
    """What it answered; a text is an answer that does not fit."""

    @property
    def fits(self) -> bool:
        """Whether the answer had the form that was asked for."""
        return not isinstance(self.outputs, str)

    def traced(self, predictors: Mapping[str, Any]) -> tuple[Any, Any, Prediction]:
        """Return it as a trace has it, for a metric."""
        outputs = {} if isinstance(self.outputs, str) else self.outputs
        return predictors[self.predictor], self.inputs, Prediction(**outputs)

    def plain(self) -> dict[str, Any]:
        """Return it as a record keeps it."""
        return {
            "predictor": self.predictor,
            "inputs": dict(self.inputs),
            "outputs": self.outputs
            if isinstance(self.outputs, str)
            else {**self.outputs},
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """What came of one example."""

    example: Example
    """The example."""
    prediction: Any
    """What the program gave; `None` when it gave nothing."""
    score: float
    """The metric's number, or the score of what failed."""
    steps: Sequence[Step]
    """What its predictors did, in order; empty where that was not kept."""
    is_scored: bool
    """Whether the metric gave a number."""

    @classmethod
    def of(
        cls, example: Example, outcome: Outcome | None, *, failure_score: float
    ) -> Rollout:
        """Return what came of an example, of the outcome of its run."""
        score = None if outcome is None else outcome.score
        value = None if outcome is None else outcome.value
        kept = value["steps"] if isinstance(value, Mapping) else ()
        return cls(
            example=example,
            prediction=None if outcome is None else outcome.prediction,
            score=failure_score if score is None else score,
            steps=[Step(**step) for step in kept],
            is_scored=score is not None,
        )

    def unfit(self, predictor: str) -> Step | None:
        """Return the predictor's answer that does not fit, if that ended the run."""
        unfit = (s for s in self.steps if s.predictor == predictor and not s.fits)
        return next(unfit, None)

    def fitting(self, predictor: str) -> list[Step]:
        """Return what a predictor answered, where there is something to learn of it."""
        if not self.is_scored:
            return []
        return [step for step in self.steps if step.predictor == predictor]


def rolling_out(
    program: Program, metric: Metric, *, keeps_steps: bool
) -> Callable[[Example], Measured]:
    """Return the work of an evaluation that runs a program and scores it.

    Args:
        program: The program.
        metric: What scores it.
        keeps_steps: Whether what its predictors did is kept in the record.
    """
    names = {id(predictor): name for name, predictor in program.named_predictors()}

    def work(example: Example) -> Measured:
        trace: list[Any] = []
        try:
            with context(trace=trace):
                prediction = program(**example.inputs())
        except BaseException as error:
            failed = WorkFailed(error, "program")
            if keeps_steps:
                steps = [*_steps(trace, names), *_unfit(error, program, example)]
                failed.value = {"steps": steps}
            raise failed from error
        try:
            judgement = judge(metric, example, prediction)
        except BaseException as error:
            raise WorkFailed(error, "metric", prediction) from error
        measured = Measured.of(judgement, prediction)
        if not keeps_steps:
            return measured
        return replace(measured, value={"steps": _steps(trace, names)})

    return work


def _steps(trace: Sequence[Any], names: Mapping[int, str]) -> list[dict[str, Any]]:
    return [
        Step(
            predictor=names[id(predictor)],
            inputs=inputs,
            outputs=dict(prediction.items()),
        ).plain()
        for predictor, inputs, prediction in trace
        if id(predictor) in names
    ]


def _unfit(
    error: BaseException, program: Program, example: Example
) -> list[dict[str, Any]]:
    """Return the step whose answer did not fit, if that is how a run ended."""
    if not isinstance(error, AdapterParseError):
        return []
    made = error.signature
    # The error does not say what was asked, so the example's inputs stand for it.
    return [
        Step(
            predictor=name, inputs=dict(example.inputs()), outputs=error.lm_response
        ).plain()
        for name, predictor in program.named_predictors()
        if predictor.signature is made or predictor.signature.equals(made)
    ][:1]
