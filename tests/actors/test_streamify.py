"""Programs that are read while they run: fields, status, breaks, and giving up."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import dspex
from dspex import StatusMessage, StreamListener, StreamResponse
from dspex.core.errors import (
    ConfigurationError,
    LMCancelledError,
    LMStreamError,
    MissingInputError,
)
from dspex.testing import DummyLM, FakeProvider, StreamCut, StreamStall

WITHIN = 10.0
"""Seconds after which a wait in these tests counts as a hang."""

CHAT = (
    "[[ ## reasoning ## ]]\nPeru it is.\n\n"
    "[[ ## answer ## ]]\nLima, by the  sea\n\n[[ ## completed ## ]]"
)


@pytest.fixture(autouse=True)
def runtime() -> Iterator[dspex.Runtime]:
    with dspex.Runtime(dspex.Config(persist=False)) as opened:
        yield opened


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider(answer=lambda _messages: CHAT) as opened:
        yield opened


def lm_of(provider: FakeProvider, **options: Any) -> dspex.LM:
    return dspex.LM("openai/m", api_base=provider.base_url, api_key="k", **options)


def thinking() -> dspex.Predict:
    return dspex.Predict("question -> reasoning, answer")


def in_a_thread(program: Any, **options: Any) -> Callable[..., list[Any]]:
    run = dspex.streamify(program, async_streaming=False, **options)
    return lambda **inputs: list(run(**inputs))


def on_a_loop(program: Any, **options: Any) -> Callable[..., list[Any]]:
    run = dspex.streamify(program, **options)

    async def read(**inputs: Any) -> list[Any]:
        return [item async for item in run(**inputs)]

    return lambda **inputs: asyncio.run(read(**inputs))


def as_a_coroutine(program: Any, **options: Any) -> Callable[..., list[Any]]:
    return on_a_loop(program, is_async_program=True, **options)


WAYS = pytest.mark.parametrize("way", [in_a_thread, on_a_loop, as_a_coroutine])


def text_of(items: list[Any], field: str) -> str:
    return "".join(
        item.chunk
        for item in items
        if isinstance(item, StreamResponse) and item.signature_field_name == field
    )


@WAYS
def test_the_pieces_of_a_field_are_the_field(way: Any, provider: FakeProvider) -> None:
    listeners = [StreamListener("answer"), StreamListener("reasoning")]

    with dspex.context(lm=lm_of(provider)):
        items = way(thinking(), stream_listeners=listeners)(question="Q?")

    *pieces, answer = items
    assert len(pieces) > 4
    assert text_of(pieces, "answer") == answer.answer == "Lima, by the  sea"
    assert text_of(pieces, "reasoning") == answer.reasoning == "Peru it is."
    assert [piece.signature_field_name for piece in pieces if piece.is_last_chunk] == [
        "reasoning",
        "answer",
    ]
    assert {piece.predict_name for piece in pieces} == {"self"}


@WAYS
def test_an_answer_from_the_cache_is_one_piece(
    way: Any, provider: FakeProvider
) -> None:
    run = way(thinking(), stream_listeners=[StreamListener("answer")])

    with dspex.context(lm=lm_of(provider)):
        first = run(question="Q?")
        second = run(question="Q?")

    assert text_of(first, "answer") == text_of(second, "answer")
    assert second[0] == StreamResponse("self", "answer", "Lima, by the  sea", True)
    assert len(second) == 2
    assert len(provider.bill) == 1


def test_without_listeners_the_raw_pieces_come(provider: FakeProvider) -> None:
    with dspex.context(lm=lm_of(provider)):
        *pieces, answer = in_a_thread(thinking())(question="Q?")

    assert "".join(piece.text for piece in pieces) == CHAT
    assert answer.answer == "Lima, by the  sea"


def test_the_line_adapter_streams_too() -> None:
    with FakeProvider(answer=lambda _: "I think so\nAnswer: Lima it is") as provider:
        lm = lm_of(provider, adapter="line")
        run = in_a_thread(thinking(), stream_listeners=[StreamListener("answer")])
        with dspex.context(lm=lm):
            *pieces, answer = run(question="Q?")

    assert text_of(pieces, "answer") == answer.answer == "Lima it is"
    assert len(pieces) > 2


@pytest.mark.parametrize(
    ("adapter", "written"),
    [
        ("json", '{"reasoning": "so", "answer": "Lima \\"it\\" is"}'),
        ("xml", "<reasoning>so</reasoning>\n<answer>Lima &quot;it&quot; is</answer>"),
    ],
)
def test_the_other_adapters_stream_too(adapter: str, written: str) -> None:
    with FakeProvider(answer=lambda _: written) as provider:
        lm = lm_of(provider, adapter=adapter)
        run = in_a_thread(thinking(), stream_listeners=[StreamListener("answer")])
        with dspex.context(lm=lm):
            *pieces, answer = run(question="Q?")

    assert text_of(pieces, "answer") == answer.answer == 'Lima "it" is'
    assert len(pieces) > 2


def test_what_is_no_text_comes_as_it_is_written() -> None:
    written = "[[ ## names ## ]]\n[1,\n 2]\n\n[[ ## completed ## ]]"
    with FakeProvider(answer=lambda _: written) as provider:
        program = dspex.Predict("question -> names: list[int]")
        run = in_a_thread(program, stream_listeners=[StreamListener("names")])
        with dspex.context(lm=lm_of(provider)):
            *pieces, answer = run(question="Q?")

    assert text_of(pieces, "names") == "[1,\n 2]"
    assert answer.names == [1, 2]


def test_usage_is_counted_once(provider: FakeProvider) -> None:
    with dspex.context(lm=lm_of(provider)), dspex.track_usage() as usage:
        in_a_thread(thinking())(question="Q?")

    [spent] = usage.total().values()
    assert spent.total_tokens == sum(
        billed.usage.total_tokens for billed in provider.bill
    )


class TwoSteps(dspex.Program):
    def __init__(self) -> None:
        super().__init__()
        self.first = dspex.Predict("question -> answer")
        self.second = dspex.Predict("question, answer -> verdict")
        self.third = dspex.Predict("question -> answer")

    def forward(self, question: str) -> Any:
        answer = self.first(question=question).answer
        return self.second(question=question, answer=answer)


def test_only_predictors_with_a_listener_are_streamed_and_named() -> None:
    lm = DummyLM([{"answer": "Lima"}, {"verdict": "good"}])
    run = in_a_thread(TwoSteps(), stream_listeners=[StreamListener("verdict")])

    with dspex.context(lm=lm):
        *pieces, answer = run(question="Q?")

    assert text_of(pieces, "verdict") == answer.verdict == "good"
    assert {piece.predict_name for piece in pieces} == {"second"}


@pytest.mark.parametrize(
    ("listener", "said"),
    [
        (StreamListener("answer"), "output of several predictors: 'first', 'third'"),
        (StreamListener("verdikt"), "Did you mean 'verdict'"),
        (StreamListener("answer", predict_name="second"), "no predictor"),
    ],
)
def test_a_listener_without_its_predictor_is_refused(
    listener: StreamListener, said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said):
        dspex.streamify(TwoSteps(), stream_listeners=[listener])


def test_a_predictor_can_be_named_or_given() -> None:
    program = TwoSteps()
    named = StreamListener("answer", predict_name="first")
    given = StreamListener("answer", predict=program.first)

    for listener in (named, given):
        with dspex.context(lm=DummyLM([{"answer": "Lima"}, {"verdict": "good"}])):
            run = in_a_thread(program, stream_listeners=[listener])
            assert text_of(run(question="Q?"), "answer") == "Lima"
        assert listener.predict is program.first
        assert listener.predict_name == "first"


class Twice(dspex.Program):
    def __init__(self) -> None:
        super().__init__()
        self.ask = dspex.Predict("question -> answer")

    def forward(self, question: str) -> Any:
        self.ask(question=question)
        return self.ask(question=f"{question}?")


@pytest.mark.parametrize(("allow_reuse", "heard"), [(False, "a"), (True, "ab")])
def test_a_listener_hears_one_call_unless_it_may_be_used_again(
    allow_reuse: bool, heard: str
) -> None:
    listener = StreamListener("answer", allow_reuse=allow_reuse)
    run = in_a_thread(Twice(), stream_listeners=[listener])

    for _ in range(2):
        with dspex.context(lm=DummyLM([{"answer": "a"}, {"answer": "b"}])):
            assert text_of(run(question="Q?"), "answer") == heard


@pytest.mark.parametrize(
    ("listeners", "count"), [([StreamListener("answer")], 0), ([], 1)]
)
def test_the_answer_may_be_left_out_when_something_was_heard(
    listeners: list[StreamListener], count: int
) -> None:
    run = in_a_thread(
        dspex.Predict("question -> answer"),
        stream_listeners=listeners,
        include_final_prediction_in_output_stream=False,
    )

    with dspex.context(lm=DummyLM([{"answer": "Lima"}])):
        items = run(question="Q?")

    assert sum(isinstance(item, dspex.Prediction) for item in items) == count


# Status.


class Looks(dspex.Program):
    def __init__(self) -> None:
        super().__init__()
        self.look = dspex.Tool(lambda x: f"What is {x}?", name="look")
        self.ask = dspex.Predict("question -> answer")

    def forward(self, x: str) -> Any:
        return self.ask(question=self.look(x=x))


def messages(items: list[Any]) -> list[str]:
    return [item.message for item in items if isinstance(item, StatusMessage)]


def test_tools_are_told_by_default() -> None:
    with dspex.context(lm=DummyLM([{"answer": "blue"}])):
        told = messages(in_a_thread(Looks())(x="sky"))

    assert told[0] == "Calling tool look..."
    assert len(told) == 2


class Words(dspex.StatusMessageProvider):
    def __init__(self, name: str) -> None:
        self.name = name

    def tool_start_status_message(self, instance: Any, inputs: Any) -> str:
        return f"{self.name}: {instance.name} {inputs['kwargs']}"

    def tool_end_status_message(self, outputs: Any) -> str:
        return f"{self.name}: {outputs}"

    def module_start_status_message(self, instance: Any, inputs: Any) -> str | None:
        return "asking" if isinstance(instance, dspex.Predict) else None

    def module_end_status_message(self, outputs: Any) -> str | None:
        return None

    def lm_start_status_message(self, instance: Any, inputs: Any) -> str:
        return f"model {instance.model}"

    def lm_end_status_message(self, outputs: Any) -> str:
        return "model has answered"


def test_side_by_side_runs_have_their_own_words_and_leave_none_behind() -> None:
    async def run(name: str) -> list[str]:
        with dspex.context(lm=DummyLM([{"answer": "blue"}])):
            stream = dspex.streamify(Looks(), status_message_provider=Words(name))
            return messages([item async for item in stream(x=name)])

    async def both() -> list[list[str]]:
        return list(await asyncio.gather(run("sky"), run("sea")))

    sky, sea = asyncio.run(both())

    assert sky == [
        "sky: look {'x': 'sky'}",
        "sky: What is sky?",
        "asking",
        "model dummy",
        "model has answered",
    ]
    assert sea[0] == "sea: look {'x': 'sea'}"
    assert list(dspex.settings.callbacks) == []


@WAYS
@pytest.mark.parametrize("is_cached", [False, True])
def test_calls_of_models_are_told_around_their_pieces(
    provider: FakeProvider, way: Any, *, is_cached: bool
) -> None:
    run = way(thinking(), status_message_provider=Words("x"))

    with dspex.context(lm=lm_of(provider)):
        if is_cached:
            thinking()(question="Q?")
        items = run(question="Q?")

    assert messages(items) == ["asking", "model openai/m", "model has answered"]
    assert [type(item).__name__ for item in items[:2]] == ["StatusMessage"] * 2
    assert {type(item).__name__ for item in items[2:-2]} == {"Chunk"}
    assert messages(items[-2:-1]) == ["model has answered"]
    assert isinstance(items[-1], dspex.Prediction)


def test_finish_is_no_tool_to_tell_of() -> None:
    steps: list[dict[str, Any]] = [
        {"next_thought": "t", "next_tool_name": "finish", "next_tool_args": {}},
        {"reasoning": "r", "answer": "Lima"},
    ]
    program = dspex.ReAct("question -> answer", tools=[])

    with dspex.context(lm=DummyLM(steps)):
        assert messages(in_a_thread(program)(question="Q?")) == []


# What goes wrong.


class TwoAnswers(Twice):
    def __init__(self) -> None:
        super().__init__()
        self.ask = thinking()


@WAYS
def test_an_error_of_the_program_is_raised_to_the_reader(way: Any) -> None:
    with dspex.context(lm=DummyLM([])), pytest.raises(MissingInputError):
        way(thinking())()


@WAYS
def test_a_break_in_the_middle_is_an_error_with_the_text_so_far(
    way: Any, provider: FakeProvider
) -> None:
    provider.misbehave(StreamCut(after=8), times=1)
    run = way(thinking(), stream_listeners=[StreamListener("reasoning")])

    with dspex.context(lm=lm_of(provider)), pytest.raises(LMStreamError) as caught:
        run(question="Q?")

    assert caught.value.text.startswith("[[ ## reasoning ## ]]")


def test_closing_breaks_the_request_off_and_makes_no_further(
    provider: FakeProvider,
) -> None:
    provider.misbehave(StreamStall(after=12))
    run = dspex.streamify(
        TwoAnswers(), stream_listeners=[StreamListener("reasoning")],
        async_streaming=False,
    )  # fmt: skip

    with dspex.context(lm=lm_of(provider)):
        stream = run(question="Q?")
        next(stream)
        stream.close()

    provider.wait_for_idle(timeout=WITHIN)
    assert [billed.fate for billed in provider.bill] == ["gone"]


@pytest.mark.parametrize("is_async", [False, True])
def test_a_reader_that_is_cancelled_gives_the_program_up(
    is_async: bool, provider: FakeProvider
) -> None:
    provider.misbehave(StreamStall(after=12))
    run = dspex.streamify(
        TwoAnswers(),
        stream_listeners=[StreamListener("reasoning")],
        is_async_program=is_async,
    )

    async def read(began: asyncio.Event) -> None:
        async for _ in run(question="Q?"):
            began.set()

    async def main() -> None:
        began = asyncio.Event()
        with dspex.context(lm=lm_of(provider)):
            reading = asyncio.create_task(read(began))
            await asyncio.wait_for(began.wait(), WITHIN)
            reading.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reading

    asyncio.run(main())

    provider.wait_for_idle(timeout=WITHIN)
    assert [billed.fate for billed in provider.bill] == ["gone"]


def test_a_program_whose_model_cannot_be_broken_off_ends_at_its_next_answer() -> None:
    gate, ended = threading.Event(), threading.Event()
    asked: list[Any] = []

    class Stubborn:
        model = "stubborn/model"
        adapter = None

        def complete(self, messages: Any, settings: Any) -> Any:
            asked.append(messages)
            if len(asked) == 2:
                gate.wait(WITHIN)
            return dspex.Reply(texts=(CHAT,))

        def dump_state(self) -> dict[str, Any]:
            return {}

    class Noticing(TwoAnswers):
        def forward(self, question: str) -> Any:
            try:
                return super().forward(question)
            except LMCancelledError:
                ended.set()
                raise

    listener = StreamListener("answer", allow_reuse=True)
    run = dspex.streamify(
        Noticing(), stream_listeners=[listener], async_streaming=False
    )

    with dspex.context(lm=Stubborn()):
        stream = run(question="Q?")
        next(stream)
        stream.close()
    gate.set()

    assert ended.wait(WITHIN)


def test_a_model_that_does_not_stream_gives_one_piece() -> None:
    class Plain:
        model = "plain/model"
        adapter = None

        def complete(self, messages: Any, settings: Any) -> Any:
            return dspex.Reply(texts=(CHAT,))

        def dump_state(self) -> dict[str, Any]:
            return {}

    run = in_a_thread(thinking(), stream_listeners=[StreamListener("answer")])

    with dspex.context(lm=Plain()):
        [piece, answer] = run(question="Q?")

    assert piece == StreamResponse("self", "answer", "Lima, by the  sea", True)
    assert answer.answer == piece.chunk


def test_an_answer_that_could_not_be_read_at_first_comes_whole_the_second_time() -> (
    None
):
    class Again(Twice):
        def forward(self, question: str) -> Any:
            try:
                return self.ask(question=question)
            except dspex.AdapterParseError:
                return self.ask(question=f"{question}?")

    class Odd(dspex.Predict):
        """Reads numbers only."""

    program = Again()
    program.ask = Odd("question -> answer: int")
    lm = DummyLM(["[[ ## answer ## ]]\nnone", "[[ ## answer ## ]]\n7"])
    run = in_a_thread(program, stream_listeners=[StreamListener("answer")])

    with dspex.context(lm=lm):
        items = run(question="Q?")

    assert items[-1].answer == 7
    assert items[-2].is_last_chunk


def test_the_readers_own_settings_are_left_alone() -> None:
    async def main() -> int:
        run = dspex.streamify(thinking())
        with dspex.context(lm=DummyLM([{"reasoning": "r", "answer": "a"}])):
            async for _ in run(question="Q?"):
                assert list(dspex.settings.callbacks) == []
        return threading.active_count()

    asyncio.run(main())


def test_a_stream_can_be_answered_as_events() -> None:
    async def main() -> list[str]:
        stream = dspex.streamify(Looks(), stream_listeners=[StreamListener("answer")])
        with dspex.context(lm=DummyLM([{"answer": "blue"}])):
            events = dspex.streaming_response(stream(x="sky"))
            again = dspex.streaming_response(events)
            return [event async for event in again]

    events = asyncio.run(main())

    assert events[0] == 'data: {"status":"Calling tool look..."}\n\n'
    assert 'data: {"prediction":{"answer":"blue"}}\n\n' in events
    assert any('"chunk":"blue"' in event for event in events)
    assert events[-1] == "data: [DONE]\n\n"


def test_what_is_no_event_is_refused() -> None:
    async def items() -> Any:
        yield 7

    async def main() -> None:
        async for _ in dspex.streaming_response(items()):
            pass

    with pytest.raises(ConfigurationError, match="'int' is no event"):
        asyncio.run(main())
