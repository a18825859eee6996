from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dspex.core.callbacks import BaseCallback
from dspex.programs import configure, context
from tests.unit.programs.test_react import ANSWER, DONE, run, step


class Ears(BaseCallback):
    """Keeps the tool calls it hears of."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, Any]] = []

    def on_tool_start(
        self, call_id: str, instance: Any, inputs: Mapping[str, Any]
    ) -> None:
        self.heard.append((instance.name, inputs["kwargs"]))

    def on_tool_end(
        self, call_id: str, outputs: Any, exception: BaseException | None = None
    ) -> None:
        self.heard.append(("end", outputs if exception is None else exception))


def test_callbacks_hear_each_tool_call_and_the_trace_holds_it() -> None:
    ears = Ears()
    trace: list[Any] = []

    with context(trace=trace):
        configure(callbacks=[ears])
        answer, _ = run(step("look_up", country="Peru"), DONE, ANSWER)

    assert ears.heard == [
        ("look_up", {"country": "Peru"}),
        ("end", "Lima"),
        ("finish", {}),
        ("end", "Completed."),
    ]
    assert [sorted(inputs["trajectory"]) for _, inputs, _ in trace] == [
        [],
        ["observation_0", "thought_0", "tool_args_0", "tool_name_0"],
        sorted(answer.trajectory),
    ]


def test_a_callback_hears_of_a_tool_that_failed() -> None:
    ears = Ears()
    configure(callbacks=[ears])

    run(step("look_up", country="Atlantis"), DONE, ANSWER)

    assert isinstance(ears.heard[1][1], KeyError)
