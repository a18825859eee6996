"""Programs as they are called: heard, awaited, remembered, and asked through models."""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

import dspex
from dspex.core.lm import Message, Reply, Usage
from dspex.programs.history import GLOBAL_HISTORY
from dspex.testing import DummyLM

WITHIN = 10.0
"""Seconds after which a wait in these tests counts as a hang."""


@pytest.fixture(autouse=True)
def runtime() -> Iterator[dspex.Runtime]:
    with dspex.Runtime(dspex.Config(persist=False)) as opened:
        yield opened


class Diary(dspex.BaseCallback):
    """Notes the events it hears of, and the call each belongs to."""

    def __init__(self) -> None:
        self.events: list[tuple[str, Any]] = []
        self.ids: dict[str, tuple[str, str | None]] = {}

    def __getattribute__(self, name: str) -> Any:
        if not name.startswith("on_"):
            return super().__getattribute__(name)

        def note(call_id: str, **news: Any) -> None:
            if name.endswith("_start"):
                self.ids[call_id] = (name, dspex.ACTIVE_CALL_ID.get())
            self.events.append((name.removeprefix("on_"), news))

        return note

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.events]


class Travel(dspex.Program):
    """Two predictors, one after the other."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.find = dspex.Predict("country -> capital")
        self.praise = dspex.ChainOfThought("capital -> praise")

    def forward(self, country: str) -> Any:
        return self.praise(capital=self.find(country=country).capital)

    async def aforward(self, country: str) -> Any:
        found = await self.find.acall(country=country)
        return await self.praise.acall(capital=found.capital)


def guide() -> DummyLM:
    answers = [{"capital": "Lima"}, {"reasoning": "by the sea", "praise": "lovely"}]
    return DummyLM(answers * 10)


# Callbacks.


def test_a_call_is_heard_from_the_program_down_to_each_completion() -> None:
    diary = Diary()
    answers = [{"reasoning": str(n), "answer": str(n)} for n in range(3)]

    with dspex.context(lm=DummyLM(answers), callbacks=[diary]):
        dspex.ChainOfThought("question -> answer", n=3)(question="?")

    assert diary.names == [
        "module_start",
        "module_start",
        "adapter_format_start",
        "adapter_format_end",
        "lm_start",
        "lm_end",
        *["adapter_parse_start", "adapter_parse_end"] * 3,
        "module_end",
        "module_end",
    ]
    heard = dict(reversed(diary.events))
    assert heard["lm_start"]["inputs"]["messages"][-1]["role"] == "user"
    assert heard["lm_end"]["outputs"][0].startswith("[[ ## reasoning ## ]]")
    assert heard["module_start"]["inputs"] == {"args": (), "kwargs": {"question": "?"}}


def test_the_parent_of_each_heard_call_is_the_call_around_it() -> None:
    diary = Diary()

    with dspex.context(lm=guide(), callbacks=[diary]):
        Travel()(country="Peru")

    kinds = {
        (name, diary.ids[parent][0] if parent else None)
        for name, parent in diary.ids.values()
    }
    assert kinds == {
        ("on_module_start", None),
        ("on_module_start", "on_module_start"),
        ("on_adapter_format_start", "on_module_start"),
        ("on_lm_start", "on_module_start"),
        ("on_adapter_parse_start", "on_module_start"),
    }


def test_a_coroutine_is_heard_as_a_call_is() -> None:
    blocking, awaited = Diary(), Diary()

    with dspex.context(lm=guide(), callbacks=[blocking]):
        Travel()(country="Peru")
    with dspex.context(lm=guide(), callbacks=[awaited]):
        asyncio.run(Travel().acall(country="Peru"))

    assert awaited.names == blocking.names


def test_a_program_and_a_model_have_callbacks_of_their_own() -> None:
    program_diary, model_diary = Diary(), Diary()
    lm = guide()
    lm.callbacks = [model_diary]

    with dspex.context(lm=lm):
        Travel(callbacks=[program_diary])(country="Peru")

    assert program_diary.names == ["module_start", "module_end"]
    assert model_diary.names == ["lm_start", "lm_end"] * 2


def test_evaluations_and_optimisers_are_heard_and_are_parents() -> None:
    diary = Diary()
    rows = dspex.load([{"country": "Peru", "praise": "lovely"}], inputs=["country"])

    def right(example: Any, prediction: Any, trace: Any = None) -> bool:
        return bool(example.praise == prediction.praise)

    with dspex.context(lm=guide(), callbacks=[diary]):
        evaluate = dspex.Evaluate(devset=rows, metric=right, concurrency=1)
        result = evaluate(Travel())
        compiled = dspex.LabeledFewShot(k=1).compile(Travel(), trainset=rows)

    heard = dict(diary.events)
    assert heard["evaluate_end"]["outputs"] is result
    assert heard["compile_end"]["outputs"] is compiled
    parents = {
        diary.ids[parent][0]
        for name, parent in diary.ids.values()
        if name == "on_module_start" and parent
    }
    assert parents == {"on_evaluate_start", "on_module_start"}


# Coroutines.


def test_a_program_is_awaited_on_the_callers_loop() -> None:
    with dspex.context(lm=guide()):
        answer = asyncio.run(Travel().acall(country="Peru"))

    assert answer.praise == "lovely"


def test_many_calls_wait_together() -> None:
    everybody = threading.Barrier(8)

    class Patient(dspex.BaseLM):
        def forward(self, messages: Any, **settings: Any) -> str:
            # Passes only when all eight are here at once.
            everybody.wait(WITHIN)
            return "[[ ## b ## ]]\nyes"

    async def main() -> list[Any]:
        predict = dspex.Predict("a -> b")
        return list(await asyncio.gather(*(predict.acall(a=str(n)) for n in range(8))))

    with dspex.context(lm=Patient("patient", cache=False)):
        answers = asyncio.run(main())

    assert [answer.b for answer in answers] == ["yes"] * 8


class Plain:
    """A model of the user's own, with no more than the protocol asks for."""

    model = "plain"
    adapter = None

    def __init__(self, go: threading.Event | None = None) -> None:
        self.go = go

    def complete(self, messages: Sequence[Message], settings: Any) -> Reply:
        if self.go is not None:
            assert self.go.wait(WITHIN)
        usage = Usage(prompt_tokens=3, completion_tokens=2)
        return Reply(texts=("[[ ## b ## ]]\nyes",), usage=usage)

    def dump_state(self) -> dict[str, Any]:
        return {}


def test_a_model_that_only_blocks_leaves_the_loop_free() -> None:
    go = threading.Event()

    async def main() -> Any:
        asking = asyncio.create_task(dspex.Predict("a -> b").acall(a="x"))
        await asyncio.sleep(0)
        go.set()
        return await asyncio.wait_for(asking, WITHIN)

    with dspex.context(lm=Plain(go)):
        assert asyncio.run(main()).b == "yes"


def test_a_program_without_a_coroutine_runs_its_forward_in_a_thread() -> None:
    class Where(dspex.Program):
        def forward(self) -> tuple[bool, int]:
            here = threading.current_thread() is threading.main_thread()
            return here, dspex.settings.max_errors

    with dspex.context(max_errors=3):
        in_main_thread, max_errors = asyncio.run(Where().acall())

    assert not in_main_thread
    assert max_errors == 3


def test_positional_inputs_are_refused_by_a_coroutine_too() -> None:
    with pytest.raises(dspex.MissingInputError, match=r"predict\(a=\.\.\.\)"):
        asyncio.run(dspex.Predict("a -> b").acall("x"))


def test_usage_is_tracked_for_each_coroutine_alone() -> None:
    async def main() -> list[Any]:
        predict = dspex.Predict("a -> b")
        return list(await asyncio.gather(*(predict.acall(a="x") for _ in range(4))))

    with dspex.context(lm=Plain(), track_usage=True):
        answers = asyncio.run(main())

    spent = [answer.get_lm_usage()["plain"]["total_tokens"] for answer in answers]
    assert spent == [5] * 4


# Histories.


def test_a_call_is_remembered_by_model_predictor_programs_and_process() -> None:
    GLOBAL_HISTORY.clear()
    lm, program = guide(), Travel()

    with dspex.context(lm=lm):
        program(country="Peru")
        program.find(country="Chile")

    assert len(program.history) == 2
    assert len(program.find.history) == 2
    assert len(program.praise.history) == len(program.praise.predict.history) == 1
    assert len(lm.history) == len(GLOBAL_HISTORY) == 3
    assert program.history[0] is program.find.history[0] is lm.history[0]
    assert program.history[0]["adapter"] == "chat"


def test_threads_and_coroutines_of_a_program_remember_for_it() -> None:
    program = Travel()
    rows = dspex.load([{"country": "Peru"}] * 2, inputs=["country"])

    with dspex.context(
        lm=DummyLM([{"capital": "L", "praise": "p", "reasoning": "r"}] * 8)
    ):
        program.batch(rows)
        asyncio.run(program.acall(country="Peru"))

    assert len(program.history) == 6


def test_a_model_that_keeps_no_history_is_remembered_all_the_same() -> None:
    predict = dspex.Predict("a -> b")

    with dspex.context(lm=Plain()):
        predict(a="x")

    [entry] = predict.history
    assert (entry["model"], entry["adapter"]) == ("plain", "chat")


def test_histories_are_bounded_and_can_be_switched_off() -> None:
    predict, lm = dspex.Predict("a -> b"), DummyLM([{"b": str(n)} for n in range(9)])

    with dspex.context(lm=lm, max_history_size=2):
        for _ in range(4):
            predict(a="x")
    with dspex.context(lm=lm, disable_history=True):
        predict(a="x")

    assert [entry["outputs"] for entry in predict.history] == [
        [f"[[ ## b ## ]]\n{n}"] for n in (2, 3)
    ]
    assert len(lm.history) == 2


def test_the_last_calls_are_printed_with_model_and_adapter(
    capsys: pytest.CaptureFixture[str],
) -> None:
    program, lm = Travel(), guide()

    with dspex.context(lm=lm):
        program(country="Peru")
    dspex.inspect_history()
    printed = capsys.readouterr().out
    file = io.StringIO()
    program.inspect_history(n=2, file=file)

    assert "lovely" in printed
    assert "Peru" not in printed
    assert "dummy, chat adapter" in printed
    assert file.getvalue().index("Peru") < file.getvalue().index("lovely")
    lm.inspect_history()
    assert "lovely" in capsys.readouterr().out


# Models whose class overrides what people call.


class Spy(dspex.LM):
    """Answers by itself when it is called, as spies for DSPy do."""

    def __init__(self) -> None:
        super().__init__("openai/gpt-4o-mini", api_key="sk-1")
        self.calls: list[Any] = []

    def __call__(
        self, prompt: Any = None, messages: Any = None, **kwargs: Any
    ) -> list[str]:
        self.calls.append((prompt, messages, kwargs))
        return ["[[ ## b ## ]]\nyes"]


def test_a_model_that_overrides_its_call_is_asked_through_it() -> None:
    spy = Spy()

    with dspex.context(lm=spy):
        answer = dspex.Predict("a -> b", seed=3)(a="x")

    [(prompt, messages, settings)] = spy.calls
    assert answer.b == "yes"
    assert prompt is None
    assert messages[-1]["role"] == "user"
    assert settings == {"seed": 3}
    assert asyncio.run(dspex.Predict("a -> b").acall(a="x", lm=spy)).b == "yes"


def test_what_an_override_asks_super_for_is_the_real_call() -> None:
    class Loud(DummyLM):
        def __call__(self, prompt: Any = None, **kwargs: Any) -> list[str]:
            return [text.upper() for text in super().__call__(prompt, **kwargs)]

        async def acall(self, prompt: Any = None, **kwargs: Any) -> list[str]:
            return [text.lower() for text in await super().acall(prompt, **kwargs)]

    loud = Loud(["[[ ## B ## ]]\nYes", "[[ ## b ## ]]\nYes"])

    assert dspex.Predict("a -> B")(a="x", lm=loud).B == "YES"
    assert asyncio.run(dspex.Predict("a -> b").acall(a="x", lm=loud)).b == "yes"
    assert len(loud.history) == 2


def test_a_model_may_answer_with_dicts_as_dspys_do() -> None:
    class Detailed(Spy):
        def __call__(self, prompt: Any = None, messages: Any = None, **_: Any) -> Any:
            return [{"text": "[[ ## b ## ]]\nyes", "logprobs": None}]

    assert dspex.Predict("a -> b")(a="x", lm=Detailed()).b == "yes"


def test_a_method_that_nothing_would_call_is_refused_with_the_line_to_write() -> None:
    with pytest.raises(dspex.ConfigurationError, match=r"class Mine\(dspex\.BaseLM\)"):

        class Mine(dspex.LM):
            def forward(self, prompt: Any = None, **kwargs: Any) -> str:
                return "never"


def test_a_base_model_written_for_dspy_works_as_it_is() -> None:
    class Mine(dspex.BaseLM):
        def forward(
            self, prompt: Any = None, messages: Any = None, **kwargs: Any
        ) -> Any:
            answer = f"[[ ## b ## ]]\n{prompt} {messages[-1]['role']}"
            choice = {"message": {"content": answer}, "finish_reason": "stop"}
            return {"choices": [choice], "usage": {"prompt_tokens": 1}, "model": "m"}

    assert dspex.Predict("a -> b")(a="x", lm=Mine("mine")).b == "None user"


# An adapter's second call.


class Twice(dspex.ChatAdapter):
    """Reads nothing, and asks once more through the line adapter."""

    name = "twice"

    @property
    def fallback(self) -> dspex.Adapter:
        return dspex.LineAdapter()


def test_a_second_call_through_a_fallback_is_counted_and_seen() -> None:
    class Lines(Plain):
        def complete(self, messages: Sequence[Message], settings: Any) -> Reply:
            usage = Usage(prompt_tokens=3, completion_tokens=2)
            return Reply(texts=("B: yes",), usage=usage)

    predict = dspex.Predict("a -> b")

    with dspex.context(lm=Lines(), adapter=Twice()), dspex.track_usage() as usage:
        answer = predict(a="x")
        awaited = asyncio.run(predict.acall(a="x"))

    assert answer.b == awaited.b == "yes"
    assert answer.get_lm_usage() == {
        "plain": {"prompt_tokens": 6, "completion_tokens": 4, "total_tokens": 10}
    }
    assert [entry["adapter"] for entry in predict.history] == ["twice", "line"] * 2
    assert usage.total()["plain"].total_tokens == 20


def test_without_a_fallback_there_is_no_second_call() -> None:
    lm = DummyLM(["no field at all"])

    with pytest.raises(dspex.AdapterParseError):
        dspex.Predict("a -> b")(a="x", lm=lm)

    assert len(lm.history) == 1


def test_an_adapter_that_makes_the_call_itself_is_left_to_it() -> None:
    class Own(dspex.ChatAdapter):
        def __call__(
            self, lm: Any, lm_kwargs: Any, signature: Any, demos: Any, inputs: Any
        ) -> list[dict[str, Any]]:
            return [{"b": f"{inputs['a']} {lm_kwargs['seed']}"}]

    with dspex.context(adapter=Own()):
        answer = dspex.Predict("a -> b", seed=7)(a="x", lm=DummyLM([]))

    assert answer.b == "x 7"
