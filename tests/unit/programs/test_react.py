from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from dspex.core.errors import (
    AdapterParseError,
    ConfigurationError,
    ContextWindowExceededError,
    LMCancelledError,
    LMServerError,
    MissingInputError,
)
from dspex.core.once import watch_unrepeatable
from dspex.core.prediction import Prediction
from dspex.core.types.image import Image
from dspex.core.types.tool import Tool
from dspex.programs import Predict, UnexpectedInputError, configure
from dspex.programs.best_of_n import BestOfN
from dspex.programs.react import ReAct
from tests.unit.programs.fakes import FakeLM, chat

DONE = chat(next_thought="enough", next_tool_name="finish", next_tool_args="{}")
ANSWER = chat(reasoning="I looked", answer="Lima")


def step(tool: str, **arguments: Any) -> str:
    return chat(
        next_thought="look", next_tool_name=tool, next_tool_args=json.dumps(arguments)
    )


def look_up(country: str) -> str:
    """Look up a capital."""
    return {"Peru": "Lima"}[country]


def asked(lm: FakeLM, call: int) -> str:
    return str(lm.calls[call][0][-1].content)


def run(
    *replies: str, tools: Any = (look_up,), **inputs: Any
) -> tuple[Prediction, FakeLM]:
    lm = FakeLM(*replies)
    configure(lm=lm)
    program = ReAct("question -> answer", tools=tools)
    return program(**(inputs or {"question": "Capital of Peru?"})), lm


def test_it_calls_tools_and_then_answers() -> None:
    answer, lm = run(step("look_up", country="Peru"), DONE, ANSWER)

    assert answer.answer == "Lima"
    assert answer.reasoning == "I looked"
    assert answer.trajectory == {
        "thought_0": "look",
        "tool_name_0": "look_up",
        "tool_args_0": {"country": "Peru"},
        "observation_0": "Lima",
        "thought_1": "enough",
        "tool_name_1": "finish",
        "tool_args_1": {},
        "observation_1": "Completed.",
    }
    assert len(lm.calls) == 3


def test_the_model_is_told_the_tools_and_sees_what_came_of_them() -> None:
    _, lm = run(step("look_up", country="Peru"), DONE, ANSWER)

    system = str(lm.calls[0][0][0].content)
    assert "(1) look_up" in system
    assert "Look up a capital." in system
    assert "(2) finish" in system
    assert '"observation_0": "Lima"' not in asked(lm, 0)
    assert '"observation_0": "Lima"' in asked(lm, 1)
    assert '"observation_1": "Completed."' in asked(lm, 2)


def test_predictors_have_dspys_names() -> None:
    program = ReAct("question -> answer", tools=[look_up])

    assert [name for name, _ in program.named_predictors()] == [
        "react",
        "extract.predict",
    ]
    assert list(program.tools) == ["look_up", "finish"]


def test_an_error_of_a_tool_is_an_observation_without_a_traceback() -> None:
    def broken(country: str) -> str:
        token = "sk-secret"
        raise RuntimeError("no route\nto host", token)

    answer, _ = run(step("broken", country="Peru"), DONE, ANSWER, tools=[broken])

    seen = answer.trajectory["observation_0"]
    assert seen.startswith("Execution error in broken: RuntimeError")
    assert "Traceback" not in seen
    assert "token =" not in seen


class Unspeakable(Exception):  # noqa: N818 - it has a name of its own
    def __str__(self) -> str:
        raise RuntimeError("no text")


def loop() -> list[Any]:
    inside: list[Any] = []
    inside.append(inside)
    return inside


def unspeakable() -> None:
    raise Unspeakable


def unreadable() -> bytes:
    return b"\xff\xfe"


@pytest.mark.parametrize("retry", [True, False])
@pytest.mark.parametrize("tool", [unspeakable, loop, unreadable])
def test_whatever_comes_of_a_tool_is_an_observation(tool: Any, retry: bool) -> None:
    name = tool.__name__

    answer, _ = run(step(name), DONE, ANSWER, tools=[Tool(tool, retry=retry)])

    told = answer.trajectory["observation_0"]
    assert told.startswith(f"Execution error in {name}: ")


def test_a_long_error_is_cut_and_cannot_steer_a_terminal() -> None:
    def broken() -> str:
        raise ValueError("\x1b[2J" + "x" * 5000)

    answer, _ = run(step("broken"), DONE, ANSWER, tools=[broken])

    seen = answer.trajectory["observation_0"]
    assert len(seen) < 500
    assert "\x1b" not in seen


class Event(BaseModel):
    name: str
    guests: int


def test_arguments_are_checked_and_converted_before_the_tool_runs() -> None:
    invited: list[Event] = []

    def invite(event: Event) -> str:
        invited.append(event)
        return event.name

    answer, _ = run(
        step("invite", event={"name": "fair"}),
        step("invite", event={"name": "fair", "guests": "3"}),
        step("invite", who="Ann"),
        DONE,
        ANSWER,
        tools=[invite],
    )

    assert invited == [Event(name="fair", guests=3)]
    assert "guests" in answer.trajectory["observation_0"]
    assert answer.trajectory["observation_1"] == "fair"
    assert "'who'" in answer.trajectory["observation_2"]


def test_it_ends_after_the_last_step_it_may_take() -> None:
    replies = [step("look_up", country="Peru")] * 2

    answer, lm = run(*replies, ANSWER, question="Q?", max_iters=2)

    assert answer.answer == "Lima"
    assert len(lm.calls) == 3
    assert "thought_2" not in answer.trajectory


def test_a_step_that_cannot_be_read_ends_the_steps_and_it_still_answers() -> None:
    answer, lm = run(
        step("look_up", country="Peru"), step("no_such_tool"), ANSWER, question="Q?"
    )

    assert answer.answer == "Lima"
    assert "thought_1" not in answer.trajectory
    assert len(lm.calls) == 3


def test_an_answer_that_cannot_be_read_is_an_error() -> None:
    with pytest.raises(AdapterParseError):
        run(DONE, "no answer", question="Q?")


def test_a_missing_or_unknown_input_is_an_error_before_any_call() -> None:
    lm = FakeLM(DONE)
    configure(lm=lm)
    program = ReAct("question -> answer", tools=[look_up])

    with pytest.raises(MissingInputError, match="question"):
        program()
    with pytest.raises(UnexpectedInputError, match="country"):
        program(question="Q?", country="Peru")
    assert lm.calls == []


def test_an_error_of_the_model_is_no_observation() -> None:
    class Down(FakeLM):
        def complete(self, messages: Any, settings: Any) -> Any:
            raise LMServerError("503")

    configure(lm=Down(DONE))

    with pytest.raises(LMServerError):
        ReAct("question -> answer", tools=[look_up])(question="Q?")


def test_work_that_was_given_up_ends_in_the_tool() -> None:
    def ask() -> str:
        raise LMCancelledError("given up")

    with pytest.raises(LMCancelledError):
        run(step("ask"), DONE, ANSWER, tools=[ask])


class Small(FakeLM):
    """Refuses prompts with more than a number of observations."""

    def __init__(self, *texts: str, room: int) -> None:
        super().__init__(*texts)
        self.room = room

    def complete(self, messages: Any, settings: Any) -> Any:
        if str(messages[-1].content).count("observation_") > self.room:
            raise ContextWindowExceededError("too long")
        return super().complete(messages, settings)


def test_the_oldest_steps_are_dropped_when_they_do_not_fit() -> None:
    lm = Small(*[step("look_up", country="Peru")] * 3, DONE, ANSWER, room=2)
    configure(lm=lm)

    answer = ReAct("question -> answer", tools=[look_up])(question="Q?")

    assert answer.answer == "Lima"
    kept = [name for name in answer.trajectory if name.startswith("thought")]
    assert kept == ["thought_2", "thought_3"]


def test_what_never_fits_is_an_error_that_says_so() -> None:
    lm = Small(step("look_up", country="Peru"), DONE, ANSWER, room=0)
    configure(lm=lm)

    with pytest.raises(ContextWindowExceededError, match="could be dropped") as caught:
        ReAct("question -> answer", tools=[look_up])(question="Q?")

    assert isinstance(caught.value.__cause__, ContextWindowExceededError)


def test_an_input_may_be_called_max_iters() -> None:
    lm = FakeLM(DONE, ANSWER)
    configure(lm=lm)

    ReAct("max_iters: int -> answer", tools=[look_up])(max_iters=3)

    assert "[[ ## max_iters ## ]]\n3" in asked(lm, 0)


def test_a_picture_that_a_tool_returns_reaches_the_model_as_one() -> None:
    def draw() -> Image:
        return Image("https://example.com/a.png")

    answer, _ = run(step("draw"), DONE, ANSWER, tools=[draw])

    assert answer.trajectory["observation_0"] == Image("https://example.com/a.png")


# What is never run again.


class Mailbox:
    """Something that cannot be undone."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    def send(self, to: str) -> str:
        self.sent.append(to)
        if to == "nobody":
            raise OSError("bounced")
        return f"sent to {to}"

    def tool(self) -> Tool:
        return Tool(self.send, retry=False)


def test_a_marked_tool_is_not_run_twice_with_the_same_arguments() -> None:
    box = Mailbox()

    answer, _ = run(
        step("send", to="ann"),
        step("send", to="ann"),
        step("send", to="bob"),
        DONE,
        ANSWER,
        tools=[box.tool()],
    )

    assert box.sent == ["ann", "bob"]
    assert "never run again" in answer.trajectory["observation_1"]
    assert "sent to ann" in answer.trajectory["observation_1"]


def test_a_marked_tool_is_not_run_again_after_it_failed() -> None:
    box = Mailbox()

    answer, _ = run(
        step("send", to="nobody"), step("send", to="nobody"), DONE, ANSWER,
        tools=[box.tool()],
    )  # fmt: skip

    assert box.sent == ["nobody"]
    assert "bounced" in answer.trajectory["observation_1"]


def test_a_marked_tool_that_was_refused_for_its_arguments_may_be_tried_again() -> None:
    box = Mailbox()

    with watch_unrepeatable() as begun:
        run(
            step("send", whom="ann"), step("send", whom="ann"), DONE, ANSWER,
            tools=[box.tool()],
        )  # fmt: skip

    assert box.sent == []
    assert not begun


def test_a_new_run_may_call_it_again() -> None:
    box = Mailbox()
    tools = [box.tool()]

    for _ in range(2):
        run(step("send", to="ann"), DONE, ANSWER, tools=tools)

    assert box.sent == ["ann", "ann"]


def test_a_round_that_called_a_marked_tool_is_not_started_over() -> None:
    box = Mailbox()
    lm = FakeLM(step("send", to="ann"), DONE, "no answer")
    configure(lm=lm)
    program = ReAct("question -> answer", tools=[box.tool()])

    with pytest.raises(AdapterParseError):
        BestOfN(program, 3, lambda args, pred: 1.0, threshold=2.0)(question="Q?")

    assert box.sent == ["ann"]


def test_a_marked_function_keeps_its_mark() -> None:
    class Send:
        retry = False

        def __call__(self, to: str) -> str:
            return to

    assert not ReAct("q -> a", tools=[Send()]).tools["Send"].retry


@pytest.mark.parametrize("tools", [[look_up, look_up], [Tool(look_up, name="finish")]])
def test_two_tools_of_one_name_are_refused(tools: Any) -> None:
    with pytest.raises(ConfigurationError, match="two tools have the name"):
        ReAct("question -> answer", tools=tools)


ONE_STEP = ReAct("question -> answer", tools=[look_up], max_iters=1)


@given(
    st.sampled_from(["look_up", "finish", "nope", "look_up "]),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    ),
)
def test_any_tool_and_any_arguments_give_an_observation(
    name: str, arguments: Any
) -> None:
    def asks(**kwargs: Any) -> Prediction:
        return Prediction(
            next_thought="t", next_tool_name=name, next_tool_args=arguments
        )

    program: Any = copy.copy(ONE_STEP)
    program.react = asks
    program.extract = lambda **kwargs: Prediction(answer="x")

    answer = program(question="Q?")

    assert len(answer.trajectory) == 4
    assert isinstance(answer.trajectory["observation_0"], str)


def test_a_program_can_be_a_step_of_another_model() -> None:
    program = ReAct("question -> answer", tools=[look_up])
    copied = program.deepcopy()

    assert isinstance(copied.react, Predict)
    assert copied.react is not program.react
