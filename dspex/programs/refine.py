"""`Refine`: several tries, each with advice from the one before."""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from dspex.core.adapters.render import plain_value
from dspex.core.example import Example
from dspex.core.fields import description_of
from dspex.core.signature import InputField, OutputField, Signature
from dspex.core.type_names import type_name
from dspex.programs.best_of_n import BestOfN, Judged, Reward
from dspex.programs.predict import Predict
from dspex.programs.program import Program
from dspex.programs.rollouts import Rollout

HINT: Final = "hint_"
"""The input in which a predictor is told what to do better."""

NO_ADVICE: Final = "N/A"
"""What stands there for a predictor that did nothing wrong."""


class OfferFeedback(Signature):
    """Find out why a program's answer earned less than the target, step by step.

    Then give each module that had a part in it advice for its next run on inputs like
    these. A module remembers nothing of this run, so the advice must stand by itself:
    concrete, and something it can do.
    """

    program_code: str = InputField(desc="source of the program")
    modules_defn: str = InputField(desc="its modules with their inputs and outputs")
    program_inputs: str = InputField(desc="what the program was called with")
    program_trajectory: str = InputField(desc="what each module was given and answered")
    program_outputs: str = InputField(desc="what the program answered")
    reward_code: str = InputField(desc="source of the function that judged the answer")
    target_threshold: float = InputField(desc="the reward that is wanted")
    reward_value: float = InputField(desc="the reward that was earned")
    module_names: list[str] = InputField(desc="the modules that want advice")
    discussion: str = OutputField(desc="what went wrong, and in which module")
    advice: dict[str, str] = OutputField(
        desc="by module name: when it goes wrong and what to do then; N/A for a module "
        "that did nothing wrong"
    )


class Refine(BestOfN):
    """Runs a program up to `N` times, each time with advice from the run before.

    It is `BestOfN` in which a model looks at each answer that was not good enough and
    writes advice for each predictor, which the next round gets as the input `hint_`.
    Each advice is one more call, of the configured model. It is shown the source code
    of the program and of the reward function, as far as they are at hand.

    When to use it: when the model can do better once it is told what was wrong. When
    not: when it needs luck rather than advice; `BestOfN` is cheaper.

    Args:
        module: The program.
        N: How many rounds there are at most.
        reward_fn: As for `BestOfN`.
        threshold: A reward that is good enough.
        fail_count: How many rounds may fail, as for `BestOfN`. A round whose advice
            could not be had counts as one, though its answer stays.

    Raises:
        ConfigurationError: When one of them makes no sense.
    """

    def __init__(
        self,
        module: Program,
        N: int,  # noqa: N803 - DSPy's name
        reward_fn: Reward,
        threshold: float,
        fail_count: int | None = None,
    ) -> None:
        super().__init__(module, N, reward_fn, threshold, fail_count)
        self.module_code = source_of(type(module))
        self.reward_fn_code = source_of(reward_fn)

    def forward(self, **kwargs: Any) -> Any:
        """Run the rounds; the inputs go by name."""
        contest = self._contest()
        advice: Mapping[str, str] = {}
        for rollout in contest.rollouts(self.module):
            with contest.round(rollout):
                with_hints(rollout.program, advice)
                judged = self._run(rollout, contest, kwargs)
                if not contest.is_over:
                    question = self._question(rollout, kwargs, judged)
                    advice = Predict(OfferFeedback)(**question).advice
        return contest.winner()

    async def aforward(self, **kwargs: Any) -> Any:
        """The same for coroutines."""
        contest = self._contest()
        advice: Mapping[str, str] = {}
        for rollout in contest.rollouts(self.module):
            with contest.round(rollout):
                with_hints(rollout.program, advice)
                judged = await self._arun(rollout, contest, kwargs)
                if not contest.is_over:
                    question = self._question(rollout, kwargs, judged)
                    advice = (await Predict(OfferFeedback).acall(**question)).advice
        return contest.winner()

    def _question(
        self, rollout: Rollout, inputs: Mapping[str, Any], judged: Judged
    ) -> dict[str, Any]:
        """Return what the model that advises is shown."""
        names = {
            id(predictor): name
            for name, predictor in rollout.program.named_predictors()
        }
        steps = [
            {
                "module_name": names.get(id(predictor), ""),
                "inputs": {name: value for name, value in row.items() if name != HINT},
                "outputs": dict(prediction.items()),
            }
            for predictor, row, prediction in rollout.trace
        ]
        answer = judged.answer
        outputs = dict(answer.items()) if isinstance(answer, Example) else answer
        return {
            "program_code": self.module_code,
            "modules_defn": described(self.module),
            "program_inputs": _as_json(dict(inputs)),
            "program_trajectory": _as_json(steps),
            "program_outputs": _as_json(outputs),
            "reward_code": self.reward_fn_code,
            "target_threshold": self.threshold,
            "reward_value": float(judged.reward),
            "module_names": list(names.values()),
        }


def with_hints(program: Program, advice: Mapping[str, str]) -> None:
    """Give each predictor its advice as a further input, in place.

    Without any advice nothing changes. Demos say that they had none, so that they stay
    whole.
    """
    if not advice:
        return
    for name, predictor in program.named_predictors():
        field = InputField(
            desc="advice from an earlier try", default=advice.get(name, NO_ADVICE)
        )
        predictor.signature = predictor.signature.append(HINT, field, str)
        predictor.demos = [
            {**dict(demo.items()), HINT: NO_ADVICE} for demo in predictor.demos
        ]


def described(program: Program) -> str:
    """Return a program's predictors with their fields and instructions, as text."""
    return "\n\n".join(
        "\n".join(
            [
                f"Module {name}",
                f"Instructions: {predictor.signature.instructions}",
                "Inputs:",
                *_fields(predictor.signature.input_fields),
                "Outputs:",
                *_fields(predictor.signature.output_fields),
            ]
        )
        for name, predictor in program.named_predictors()
    )


def source_of(thing: Callable[..., Any]) -> str:
    """Return the source code of a function, a class, or an object's class.

    What was typed at a prompt, or is written in C, has none; its name stands for it.
    """
    plain = thing
    while isinstance(plain, functools.partial):
        plain = plain.func
    for candidate in (plain, type(plain)):
        try:
            return inspect.getsource(candidate)
        except (TypeError, OSError):
            continue
    name = getattr(plain, "__name__", type(plain).__name__)
    return f"(the source of {name!r} is not at hand)"


def _fields(fields: Mapping[str, Any]) -> list[str]:
    lines = []
    for name, field in fields.items():
        said = description_of(name, field)
        meaning = f": {said}" if said else ""
        lines.append(f"- {name} ({type_name(field.annotation)}){meaning}")
    return lines


def _as_json(value: Any) -> str:
    return json.dumps(plain_value(value), indent=2, ensure_ascii=False)
