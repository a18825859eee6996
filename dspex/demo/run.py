"""The demo as it runs: three programs on one task, each measured on the same examples.

Nothing here is special to the demo's model or data: it is the ten lines of the README
with a report.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

from dspex.core.adapters import chosen_adapter
from dspex.core.errors import (
    AdapterParseError,
    EvaluationError,
    EvaluationInterrupted,
)
from dspex.core.lm import LanguageModel
from dspex.core.metrics import exact_match, normalize_answer
from dspex.core.signature import make_signature
from dspex.demo.report import Making, Report, Row, Shown
from dspex.demo.tasks import DemoTask
from dspex.evaluate.evaluate import Evaluate
from dspex.evaluate.results.outcome import Outcome
from dspex.evaluate.results.result import EvaluationResult
from dspex.programs import Predict, Program
from dspex.programs.settings import context, settings
from dspex.runtime.runtime import Runtime
from dspex.teleprompt import BootstrapFewShot, LabeledFewShot
from supervisors import Event
from supervisors.events import CHILD_RESTART

LABELED = 8
"""Labelled examples in the prompt."""
BOOTSTRAPPED = 4
"""Demos the model makes itself, at most."""


class Demo:
    """One run of the demo. What is measured stays, also when it is interrupted.

    Args:
        task: The task, with its examples.
        lm: The model.
        runtime: The tree to run on; it must not have run anything else.
        limit: How many of the dev examples to take; `None` for all.
        save: Where to save the bootstrapped program; `None` for nowhere.
        tell: Called with a line about what is done next.
        display_progress: `None` shows a bar on a terminal, `False` shows none.
    """

    def __init__(
        self,
        task: DemoTask,
        lm: LanguageModel,
        runtime: Runtime,
        *,
        limit: int | None = None,
        save: Path | None = None,
        tell: Callable[[str], None] = lambda _line: None,
        display_progress: bool | None = None,
    ) -> None:
        self._task = task
        self._lm = lm
        self._runtime = runtime
        self._dev = task.dev if limit is None else task.dev[:limit]
        self._save = save
        self._tell = tell
        self._progress = display_progress
        self._metric = exact_match(task.field)
        self._answers = frozenset(
            normalize_answer(row[task.field]) for row in (*task.train, *task.dev)
        )
        self._restarts: list[Event] = []
        self._began = time.monotonic()
        self._report = Report(
            model=lm.model,
            task=task.name,
            title=task.title,
            signature=task.signature,
            is_free_text=_is_free_text(task.signature),
            source=task.source,
        )

    @property
    def report(self) -> Report:
        """What was found so far."""
        rows, making = self._report.rows, self._report.making
        return replace(
            self._report,
            calls=sum(row.calls for row in rows) + (making.calls if making else 0),
            seconds=time.monotonic() - self._began,
            restarts=len(self._restarts),
        )

    def run(self) -> Report:
        """Measure, improve, measure again.

        Raises:
            EvaluationError: A run could not go on; `report` has what was measured.
            EvaluationInterrupted: Ctrl-C; the same.
        """
        # Appending to a list is one step, whichever supervisor's thread does it.
        handler = self._runtime.events.attach(self._restarts.append, CHILD_RESTART)
        try:
            with context(lm=self._lm):
                self._steps()
                tree = str(self._runtime)
        finally:
            self._runtime.events.detach(handler)
        self._report = replace(self._report, tree=tree)
        return self.report

    def _steps(self) -> None:
        program, train = Predict(self._task.signature), self._task.train
        first = self._measure("before", "zero-shot", program)
        labeled = LabeledFewShot(k=LABELED).compile(program, trainset=train)
        self._measure("labeled", f"LabeledFewShot ({LABELED})", labeled)
        better = self._bootstrapped(program)
        title = f"BootstrapFewShot ({BOOTSTRAPPED}+{LABELED - BOOTSTRAPPED})"
        result = self._measure("after", title, better)
        shown = self._shown(better, first, result)
        self._report = replace(self._report, shown=shown)
        if self._save is not None:
            better.save(self._save)
            self._report = replace(self._report, saved=str(self._save))

    def _bootstrapped(self, program: Program) -> Program:
        self._tell(f"bootstrapping on {len(self._task.train)} training examples")
        optimiser = BootstrapFewShot(
            metric=self._metric,
            max_bootstrapped_demos=BOOTSTRAPPED,
            max_labeled_demos=LABELED,
            display_progress=self._progress,
        )
        better = optimiser.compile(program, trainset=self._task.train)
        result = optimiser.result
        if result is not None:
            self._report = replace(self._report, making=_making(result, better))
        return better

    def _measure(self, step: str, title: str, program: Program) -> EvaluationResult:
        self._tell(f"{title}: {len(self._dev)} examples")
        evaluate = Evaluate(
            devset=self._dev, metric=self._metric, display_progress=self._progress
        )
        try:
            result = evaluate(program)
        except (EvaluationInterrupted, EvaluationError) as stopped:
            if stopped.result is not None:
                self._put(step, self._row(title, stopped.result, cut_short=True))
            raise
        self._put(step, self._row(title, result))
        return result

    def _row(
        self, title: str, result: EvaluationResult, *, cut_short: bool = False
    ) -> Row:
        return row_of(
            title, result, self._task.field, self._answers, cut_short=cut_short
        )

    def _put(self, step: str, row: Row) -> None:
        changes: dict[str, Any] = {step: row}
        self._report = replace(self._report, **changes)

    def _shown(
        self, program: Program, before: EvaluationResult, after: EvaluationResult
    ) -> Shown:
        """Take a question that zero-shot got wrong and the program right, if any."""
        predictor = program.predictors()[0]
        adapter = chosen_adapter(settings.adapter, self._lm.adapter)
        pairs = list(zip(before.scores, after.scores, strict=True))
        chosen = max(range(len(pairs)), key=lambda at: pairs[at][1] - pairs[at][0])
        inputs = self._dev[chosen].inputs()
        return Shown(
            inputs=inputs.toDict(),
            messages=tuple(
                adapter.format(predictor.signature, predictor.demos, inputs)
            ),
            answer=self._answer(after, chosen),
            answer_before=self._answer(before, chosen),
        )

    def _answer(self, result: EvaluationResult, number: int) -> str:
        prediction = result.results[number][1]
        return str(prediction.get(self._task.field, "(could not be read)"))


def _is_free_text(signature: str) -> bool:
    outputs = make_signature(signature).output_fields.values()
    return all(field.annotation is str for field in outputs)


def row_of(
    title: str,
    result: EvaluationResult,
    field: str,
    answers: Collection[str],
    *,
    cut_short: bool = False,
) -> Row:
    """Return the row of an evaluation.

    Args:
        title: What was done to the program.
        result: The evaluation.
        field: The field with the answer.
        answers: The answers that examples of the task have, normalised.
        cut_short: Whether to leave out what was not measured, because it was given up.
    """
    kept = [
        (score, outcome)
        for score, outcome in zip(result.scores, result.outcomes, strict=True)
        if not cut_short or (outcome is not None and outcome.kind.is_final)
    ]
    return Row(
        title=title,
        scores=tuple(score for score, _ in kept),
        unreadable=tuple(_is_unreadable(outcome) for _, outcome in kept),
        foreign=tuple(_is_foreign(outcome, field, answers) for _, outcome in kept),
        failures=sum(outcome is None or outcome.score is None for _, outcome in kept),
        of=result.n,
        calls=result.calls,
        usage=result.usage,
        seconds=result.seconds,
    )


def _is_unreadable(outcome: Outcome | None) -> bool:
    error = None if outcome is None or outcome.error is None else outcome.error.error
    return isinstance(error, AdapterParseError)


def _is_foreign(outcome: Outcome | None, field: str, answers: Collection[str]) -> bool:
    prediction = None if outcome is None else outcome.prediction
    if prediction is None or field not in prediction:
        return False
    return normalize_answer(str(prediction[field])) not in answers


def _making(result: EvaluationResult, better: Program) -> Making:
    demos = [demo for predictor in better.predictors() for demo in predictor.demos]
    return Making(
        calls=result.calls,
        usage=result.usage,
        seconds=result.seconds,
        kept=sum(bool(demo.get("augmented")) for demo in demos),
    )
