"""Reflection: what there is to say of a predictor's runs, and what a model makes of it.

Every word of a model goes through the study, so that it is paid once.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from dspex.core.errors import AdapterError, ConfigurationError
from dspex.core.lm import LanguageModel
from dspex.core.signature import InputField, OutputField, Signature
from dspex.core.types.base import Type
from dspex.evaluate.metric import judge
from dspex.programs.predict import Predict
from dspex.programs.program import Program
from dspex.programs.settings import context
from dspex.teleprompt.gepa.rollouts import FeedbackMetric, Rollout, Step
from dspex.teleprompt.studies.study import Study

Texts = dict[str, str]
"""The instruction of each predictor by its name."""
Proposer = Callable[..., Mapping[str, str]]
"""Called with `candidate`, `reflective_dataset` and `components_to_update`, it returns
new instructions by name."""
Told = dict[str, Any]
"""What there is to say of one run: "Inputs", "Generated Outputs" and "Feedback"."""

_UNFIT: Final = (
    "The answer did not have the form that was asked for. It must give each of these "
    "fields: "
)


def instructions_of(program: Program) -> Texts:
    """Return the instruction of each predictor of a program by its name."""
    return {
        name: predictor.signature.instructions
        for name, predictor in program.named_predictors()
    }


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
class Reflecting:
    """How to reflect; see `GEPA`, whose words these are."""

    metric: FeedbackMetric
    """What says what was wrong."""
    lm: LanguageModel | None
    """Who reflects; `None` for the configured model."""
    proposer: Proposer | None
    """Who proposes instead of `ReflectOnFeedback`."""
    reflects_on_format: bool
    """Whether answers that do not fit are reflected on as well."""
    seed: int
    """Of the draws."""


class Reflection:
    """Reflects on the runs of a study's candidates.

    Args:
        study: The study it works in.
        how: How.
    """

    def __init__(self, study: Study, how: Reflecting) -> None:
        self._study = study
        self._how = how
        self._names = [name for name, _ in study.order.student.named_predictors()]
        self._rng = random.Random(how.seed)  # noqa: S311 - to be repeated, no secret
        self._count = 0

    def told(
        self, program: Program, rollouts: Sequence[Rollout], names: Sequence[str]
    ) -> dict[str, list[Told]]:
        """Return what there is to say of some predictors, where there is something.

        Args:
            program: What was run.
            rollouts: What came of it.
            names: The predictors.

        Raises:
            ConfigurationError: There is no predictor of that name.
        """
        told = {name: self._of(program, rollouts, name) for name in names}
        return {name: each for name, each in told.items() if each}

    def proposed(
        self, texts: Texts, told: Mapping[str, Sequence[Told]], names: Sequence[str]
    ) -> Texts:
        """Return new instructions; for fewer predictors where an answer does not fit.

        Raises:
            ConfigurationError: A proposer of one's own returned something else.
        """
        step = self._next_step()
        proposer = self._how.proposer
        if proposer is not None:

            def ask() -> Texts:
                found = proposer(
                    candidate=dict(texts),
                    reflective_dataset={name: list(told[name]) for name in told},
                    components_to_update=list(names),
                )
                return _checked_texts(found, self._names)

            given: Texts = self._study.once(step, partial(self._asking, ask))
            return given
        asked = [name for name in names if name in told]
        pieces = [
            partial(
                self._reflected, f"{step}.{self._place(name)}", texts[name], told[name]
            )
            for name in asked
        ]
        found = zip(asked, self._study.side_by_side(pieces), strict=True)
        return {name: text for name, text in found if text}

    # What there is to say.

    def _of(
        self, program: Program, rollouts: Sequence[Rollout], name: str
    ) -> list[Told]:
        chosen = [(each, self._chosen(each, name)) for each in rollouts]
        step_name = f"{self._next_step()}.{self._place(name)}"
        # A metric may ask a model what to say.
        pieces = [
            partial(
                self._study.once,
                f"{step_name}.{number}",
                partial(self._words, program, rollout, step),
            )
            for number, (rollout, step) in enumerate(chosen)
            if step is not None
        ]
        steps = [step for _, step in chosen if step is not None]
        words = self._study.side_by_side(pieces)
        return [_told(step, said) for step, said in zip(steps, words, strict=True)]

    def _chosen(self, rollout: Rollout, name: str) -> Step | None:
        """Return the step of a run to reflect on: one that went wrong, or any."""
        unfit = rollout.unfit(name)
        if unfit is not None and self._how.reflects_on_format:
            return unfit
        fitting = rollout.fitting(name)
        return self._rng.choice(fitting) if fitting else None

    def _words(self, program: Program, rollout: Rollout, step: Step) -> str:
        predictors = dict(program.named_predictors())
        if not step.fits:
            fields = predictors[step.predictor].signature.output_fields
            return _UNFIT + ", ".join(fields)
        whole = [each.traced(predictors) for each in rollout.steps if each.fits]
        mine = [step.traced(predictors)]
        metric = self._how.metric

        def asked(example: Any, prediction: Any, trace: Any = None) -> Any:
            return metric(example, prediction, trace, step.predictor, mine)

        said = judge(asked, rollout.example, rollout.prediction, whole).feedback
        return said or f"This run got a score of {rollout.score}."

    # What a model makes of it.

    def _reflected(self, step: str, text: str, told: Sequence[Told]) -> str | None:
        shown = "\n\n".join(
            f"Example {number}\n{_shown(each)}"
            for number, each in enumerate(told, start=1)
        )
        reflect = partial(_reflection_on, text, shown)
        said: str | None = self._study.once(step, partial(self._asking, reflect))
        return said

    def _asking(self, ask: Callable[[], Any]) -> Any:
        with ExitStack() as stack:
            if self._how.lm is not None:
                stack.enter_context(context(lm=self._how.lm))
            return ask()

    def _next_step(self) -> str:
        self._count += 1
        return f"reflection{self._count:05d}"

    def _place(self, name: str) -> str:
        if name not in self._names:
            raise ConfigurationError(
                f"the component_selector chose {name!r}, which is no predictor of the "
                f"program; they are {self._names}. Return some of those."
            )
        return f"p{self._names.index(name)}"


def _reflection_on(text: str, shown: str) -> str | None:
    """Ask for a better instruction; `None` when the answer does not fit."""
    try:
        said = Predict(ReflectOnFeedback)(current_instruction=text, examples=shown)
    except AdapterError:
        return None
    return str(said.improved_instruction).strip() or None


def _checked_texts(found: Any, names: Sequence[str]) -> Texts:
    if not isinstance(found, Mapping) or not all(
        name in names and isinstance(text, str) for name, text in found.items()
    ):
        raise ConfigurationError(
            f"the instruction_proposer returned a {type(found).__name__!r} that is no "
            f"mapping of instructions by predictor; the predictors are {list(names)}. "
            "Return a dict of texts by those names."
        )
    return dict(found)


def _told(step: Step, said: str) -> Told:
    outputs = step.outputs
    return {
        "Inputs": _readable(step.inputs),
        "Generated Outputs": outputs
        if isinstance(outputs, str)
        else _readable(outputs),
        "Feedback": said,
    }


def _readable(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields as texts; pictures and the like stay what they are."""
    return {
        name: value if isinstance(value, Type) else str(value)
        for name, value in fields.items()
    }


def _shown(told: Told) -> str:
    lines = []
    for title, said in told.items():
        if isinstance(said, Mapping):
            lines += [
                f"{title}:",
                *(f"- {name}: {each}" for name, each in said.items()),
            ]
        else:
            lines.append(f"{title}: {said}")
    return "\n".join(lines)
