"""`ReAct`: a model that thinks, calls tools, looks at what came, and then answers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Literal

from dspex.core.errors import (
    AdapterParseError,
    ConfigurationError,
    ContextWindowExceededError,
    DspexError,
)
from dspex.core.prediction import Prediction
from dspex.core.signature import (
    InputField,
    OutputField,
    Signature,
    ensure_signature,
    make_signature,
)
from dspex.core.types.tool import Tool
from dspex.programs.chain_of_thought import ChainOfThought
from dspex.programs.predict import Predict
from dspex.programs.program import Program
from dspex.programs.tool_steps import ToolSteps

FINISH: Final = "finish"
"""The tool with which a model says that it knows enough."""

ATTEMPTS: Final = 3
"""How often a call is made whose trajectory is too long, a step shorter each time."""

KEYS_PER_STEP: Final = 4
"""Thought, tool name, arguments, observation."""

Trajectory = dict[str, Any]
"""All steps so far: `thought_0`, `tool_name_0`, `tool_args_0`, `observation_0`, ..."""

_log = logging.getLogger(__name__)


class ReAct(Program):
    """Lets a model call tools until it knows enough, and then answer.

    In each step the model gives a thought, a tool and its arguments; what the tool
    returns is its observation. Arguments are checked before a tool runs. An error of a
    tool is an observation too, with its type and its first line, so that the model can
    try another way. When the steps no longer fit the model's context, the oldest is
    dropped. After the tool `finish`, after `max_iters` steps, or when the model gives
    no step that can be read, `extract` answers from the steps there are.

    A tool marked `retry=False` is never run again with the same arguments in a run,
    also when it failed: the model is told so instead. `BestOfN` and `Refine` do not
    start over what has called one.

    When to use it: when the answer needs what the model does not know or cannot do.
    When not: when the steps are known; a program that calls the functions itself is
    cheaper and surer.

    Args:
        signature: A text such as `"question -> answer"`, or a `Signature` class.
        tools: Functions, or `Tool` objects. A tool's docstring tells the model what it
            is for. Async ones are for `acall`.
        max_iters: How many steps there are at most; `max_iters=` of a call wins.

    Raises:
        ConfigurationError: When two tools have one name, or one is called `finish`.

    Example:
        >>> def population(city: str) -> int:
        ...     "Look up how many people live in a city."
        ...     return 10_000_000
        >>> ReAct("question -> answer", tools=[population]).tools.keys()
        dict_keys(['population', 'finish'])
    """

    def __init__(
        self,
        signature: str | type[Signature],
        tools: Sequence[Callable[..., Any] | Tool],
        max_iters: int = 20,
    ) -> None:
        self.signature = plain = ensure_signature(signature)
        self.max_iters = max_iters
        self.tools = _named(tools, plain)
        self.react = Predict(_step_signature(plain, self.tools))
        self.extract = ChainOfThought(
            plain.append("trajectory", _trajectory_field(), dict[str, Any])
        )

    def forward(self, **inputs: Any) -> Prediction:
        """Take steps, then answer; the inputs go by name.

        Returns:
            The outputs, the `reasoning` behind them, and the `trajectory`.

        Raises:
            MissingInputError: When an input is not given.
            ContextWindowExceededError: When even one step is too long for the model.
        """
        trajectory: Trajectory = {}
        steps = ToolSteps(self.tools)
        for number in range(self._limit(inputs)):
            try:
                step = self._call(self.react, trajectory, inputs)
            except (ContextWindowExceededError, AdapterParseError, ValueError) as error:
                _end_early(number, error)
                break
            observation = steps.observe(step.next_tool_name, step.next_tool_args)
            if _add(trajectory, number, step, observation):
                break
        answer = self._call(self.extract, trajectory, inputs)
        return _answer(trajectory, answer)

    async def aforward(self, **inputs: Any) -> Prediction:
        """The same for coroutines; plain tools run in threads."""
        trajectory: Trajectory = {}
        steps = ToolSteps(self.tools)
        for number in range(self._limit(inputs)):
            try:
                step = await self._acall(self.react, trajectory, inputs)
            except (ContextWindowExceededError, AdapterParseError, ValueError) as error:
                _end_early(number, error)
                break
            observation = await steps.aobserve(step.next_tool_name, step.next_tool_args)
            if _add(trajectory, number, step, observation):
                break
        answer = await self._acall(self.extract, trajectory, inputs)
        return _answer(trajectory, answer)

    def truncate_trajectory(self, trajectory: Trajectory) -> Trajectory:
        """Drop the oldest step, in place; override it to shorten another way.

        Raises:
            ContextWindowExceededError: When there is only one.
        """
        if len(trajectory) <= KEYS_PER_STEP:
            raise ContextWindowExceededError(
                "the prompt is longer than the model's context, and the trajectory has "
                "no step that could be dropped; expected inputs and observations that "
                "fit. Return less from the tool, or ask a model with a larger context."
            )
        for key in list(trajectory)[:KEYS_PER_STEP]:
            del trajectory[key]
        return trajectory

    def _limit(self, inputs: dict[str, Any]) -> int:
        """Take `max_iters` out of a call's inputs, unless it is one of them."""
        if "max_iters" in self.signature.input_fields:
            return self.max_iters
        return int(inputs.pop("max_iters", self.max_iters))

    def _call(
        self, ask: Callable[..., Any], trajectory: Trajectory, inputs: Mapping[str, Any]
    ) -> Any:
        """Ask, with ever fewer steps as long as they do not fit."""
        for attempt in range(ATTEMPTS):
            try:
                return ask(**inputs, trajectory=dict(trajectory))
            except ContextWindowExceededError as error:
                self._shorten(trajectory, attempt, error)
        raise AssertionError("the last attempt returns or raises")

    async def _acall(
        self, ask: Any, trajectory: Trajectory, inputs: Mapping[str, Any]
    ) -> Any:
        for attempt in range(ATTEMPTS):
            try:
                return await ask.acall(**inputs, trajectory=dict(trajectory))
            except ContextWindowExceededError as error:
                self._shorten(trajectory, attempt, error)
        raise AssertionError("the last attempt returns or raises")

    def _shorten(
        self, trajectory: Trajectory, attempt: int, error: ContextWindowExceededError
    ) -> None:
        if attempt + 1 == ATTEMPTS:
            raise error
        _log.warning("the steps are too long for the model; the oldest is dropped")
        try:
            self.truncate_trajectory(trajectory)
        except ContextWindowExceededError as too_long:
            raise too_long from error


def _named(
    tools: Iterable[Callable[..., Any] | Tool], signature: type[Signature]
) -> dict[str, Tool]:
    """Return the tools by name, and `finish` behind them."""
    outputs = ", ".join(f"`{name}`" for name in signature.output_fields)
    finish = Tool(
        func=_finish,
        name=FINISH,
        desc=f"Ends the steps. Call it when all that {outputs} need is known.",
        args={},
    )
    named: dict[str, Tool] = {}
    for tool in [*map(_as_tool, tools), finish]:
        name = str(tool.name)
        if name in named:
            raise ConfigurationError(
                f"two tools have the name {name!r}; a model calls a tool by its name, "
                f"and {FINISH!r} is the one that ends the steps. Give one of them "
                "another: dspex.Tool(func, name='...')."
            )
        named[name] = tool
    return named


def _as_tool(given: Callable[..., Any] | Tool) -> Tool:
    if isinstance(given, Tool):
        return given
    return Tool(given, retry=getattr(given, "retry", True) is not False)


def _finish() -> str:
    return "Completed."


def _trajectory_field() -> Any:
    return InputField(desc="your steps so far and what came of them, the oldest first")


def _step_signature(
    signature: type[Signature], tools: Mapping[str, Tool]
) -> type[Signature]:
    """Return the signature of one step."""
    inputs = {
        name: (field.annotation, field)
        for name, field in signature.input_fields.items()
    }
    return (
        make_signature(inputs, _instructions(signature, tools))
        .append("trajectory", _trajectory_field(), dict[str, Any])
        .append("next_thought", OutputField(), str)
        .append("next_tool_name", OutputField(), Literal[tuple(tools)])
        .append("next_tool_args", OutputField(), dict[str, Any])
    )


def _instructions(signature: type[Signature], tools: Mapping[str, Tool]) -> str:
    inputs = ", ".join(f"`{name}`" for name in signature.input_fields)
    outputs = ", ".join(f"`{name}`" for name in signature.output_fields)
    how = (
        f"Work towards {outputs} in steps, with the tools below. You are given "
        f"{inputs} and, in `trajectory`, the steps you have taken with what each tool "
        "returned.\n"
        "Take the next step: say in `next_thought` what you know and what is missing, "
        "name one tool in `next_tool_name`, and give its arguments as a JSON object in "
        "`next_tool_args`.\n"
        f"Do not take a step twice. Once nothing is missing, the tool is `{FINISH}`."
    )
    listed = [f"({number}) {tool}" for number, tool in enumerate(tools.values(), 1)]
    return "\n\n".join([signature.instructions, how, "\n".join(["Tools:", *listed])])


def _end_early(number: int, error: Exception) -> None:
    """Let the steps end here, unless the call itself was wrong."""
    is_ours = isinstance(error, DspexError)
    if is_ours and not isinstance(
        error, ContextWindowExceededError | AdapterParseError
    ):
        raise error
    _log.warning("step %d gave nothing to go on with: %s", number, type(error).__name__)


def _add(trajectory: Trajectory, number: int, step: Any, observation: Any) -> bool:
    """Put a step into the trajectory; say whether it was the last."""
    trajectory[f"thought_{number}"] = step.next_thought
    trajectory[f"tool_name_{number}"] = step.next_tool_name
    trajectory[f"tool_args_{number}"] = step.next_tool_args
    trajectory[f"observation_{number}"] = observation
    return bool(step.next_tool_name == FINISH)


def _answer(trajectory: Trajectory, answer: Prediction) -> Prediction:
    prediction = Prediction(trajectory=trajectory, **dict(answer.items()))
    prediction.set_lm_usage(answer.get_lm_usage())
    return prediction
