"""Whose child a span is, whoever else records and however a call ends."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.trace import StatusCode

import dspex
from dspex.core import events as names
from dspex.core.errors import LMError
from dspex.runtime.runtime import current_runtime
from dspex.telemetry import gen_ai, spans
from dspex.telemetry import opentelemetry as instrumenting
from dspex.testing import SERVER_ERROR, FakeProvider
from supervisors.events import EVERYWHERE
from tests.actors.lab import PATIENT, client_name, eventually, kill
from tests.telemetry.sdk import Sdk

ANSWER = "[[ ## answer ## ]]\nLima"
WAY = ["chat small", "program Predict"]
"""What is around an attempt."""


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider(answer=lambda _messages: ANSWER) as running:
        yield running


@pytest.fixture(autouse=True)
def lm(provider: FakeProvider) -> Iterator[dspex.LM]:
    made = dspex.LM("openai/small", api_base=provider.base_url, api_key="k")
    with (
        dspex.Runtime(dspex.Config(persist=False)),
        dspex.context(lm=made),
    ):
        yield made


def ask(question: str = "q") -> Any:
    return dspex.Predict("question -> answer")(question=question)


class Failing(dspex.Program):
    """Raises what it is given."""

    def forward(self, error: BaseException) -> None:
        raise error


def test_two_that_record_do_not_meet_in_each_others_traces() -> None:
    first, second = Sdk(), Sdk()
    handles = first.instrument(), second.instrument()

    ask("one")
    ask("two")
    for handle in handles:
        handle.uninstrument()

    for each in (first, second):
        assert [each.ancestors(span) for span in each.named("attempt")] == [WAY] * 2
        assert len({span.context.trace_id for span in each.spans}) == 2
    assert trace.get_current_span() is trace.INVALID_SPAN


def test_called_again_for_the_same_providers_the_last_call_counts(sdk: Sdk) -> None:
    again = sdk.instrument(capture_content=True)

    ask("the question canary")
    again.uninstrument()
    ask("another")

    assert len(sdk.named("chat")) == 1
    assert "the question canary" in sdk.all_said()


def test_nothing_is_kept_of_providers_that_are_done_with() -> None:
    first, second = Sdk(), Sdk()
    handles = [first.instrument(), second.instrument(), first.instrument()]

    for handle in handles:
        handle.uninstrument()
        handle.uninstrument()

    assert instrumenting._standing == {}


def test_a_call_that_is_under_way_is_recorded_to_its_end() -> None:
    sdk = Sdk()
    handle = sdk.instrument()

    class Leaves(dspex.Program):
        def forward(self) -> str:
            handle.uninstrument()
            ask()
            return "done"

    Leaves()()
    ask("another")

    assert [span.name for span in sdk.spans] == ["program Leaves"]
    assert trace.get_current_span() is trace.INVALID_SPAN
    attached = [str(one.handler_id) for one in EVERYWHERE.handlers()]
    assert not [one for one in attached if "opentelemetry" in one]


@pytest.mark.parametrize(
    "error", [ValueError("canary"), KeyboardInterrupt(), SystemExit(3)], ids=repr
)
def test_a_span_ends_by_the_class_of_whatever_ends_its_call(
    error: BaseException, sdk: Sdk
) -> None:
    with pytest.raises(type(error)):
        Failing()(error=error)
    ask()

    [failed] = sdk.named("program Failing")
    assert failed.status.status_code is StatusCode.ERROR
    assert failed.attributes["error.type"] == type(error).__name__
    assert "canary" not in failed.to_json()
    assert sdk.ancestors(sdk.named("attempt")[0]) == WAY


def test_every_attempt_is_a_span_of_its_own_with_its_status(
    sdk: Sdk, provider: FakeProvider
) -> None:
    provider.misbehave(SERVER_ERROR, times=1)

    ask()

    first, second = sdk.named("attempt")
    assert (first.name, second.name) == ("attempt 1", "attempt 2")
    assert first.status.status_code is StatusCode.ERROR
    assert first.attributes["http.response.status_code"] == 500
    assert first.attributes["dspex.attempt.fate"] == "failed"
    assert second.status.is_ok
    assert [sdk.ancestors(span) for span in (first, second)] == [WAY, WAY]
    [chat] = sdk.named("chat")
    assert chat.attributes["dspex.attempts"] == 2
    assert first.start_time < first.end_time <= chat.end_time


def test_a_cancelled_coroutine_ends_its_spans(sdk: Sdk, provider: FakeProvider) -> None:
    async def main() -> None:
        provider.pause()
        asking = asyncio.create_task(
            dspex.Predict("question -> answer").acall(question="q")
        )
        await asyncio.to_thread(provider.wait_for_in_flight, 1, PATIENT)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        provider.resume()

    asyncio.run(main())

    for span in (*sdk.named("chat"), *sdk.named("program")):
        assert span.attributes["error.type"] == "CancelledError"
    [point] = sdk.figures()[gen_ai.DURATION]
    assert point.attributes["error.type"] == "CancelledError"
    assert gen_ai.TOKENS not in sdk.figures()


def test_a_stream_is_below_the_span_around_it_and_is_called_one(
    sdk: Sdk, lm: dspex.LM
) -> None:
    with sdk.tracers.get_tracer("users").start_as_current_span("mine"):
        pieces = list(lm.stream("in pieces"))

    assert pieces
    [attempt] = sdk.named("attempt")
    assert sdk.ancestors(attempt) == ["chat small", "mine"]
    [chat] = sdk.named("chat")
    assert chat.attributes["gen_ai.request.stream"] is True
    assert chat.attributes["gen_ai.usage.output_tokens"] > 0


def test_a_stream_that_is_given_up_ends_its_spans(
    sdk: Sdk, lm: dspex.LM, provider: FakeProvider
) -> None:
    stream = lm.stream("in pieces")
    next(iter(stream))
    stream.close()
    eventually(lambda: bool(sdk.named("chat")), "the span to end")
    ask()

    assert sdk.ancestors(sdk.named("attempt")[-1]) == WAY


def test_a_tool_is_a_span_of_the_conventions(sdk: Sdk) -> None:
    dspex.Tool(lambda n: n, name="same")(n=1)

    [span] = sdk.named("execute_tool same")
    assert span.attributes["gen_ai.operation.name"] == "execute_tool"
    assert span.attributes["gen_ai.tool.name"] == "same"


def test_threads_of_ones_own_have_the_spans_of_their_own_contexts(sdk: Sdk) -> None:
    tracer = sdk.tracers.get_tracer("users")

    def work(name: str) -> None:
        with tracer.start_as_current_span(name):
            ask(name)

    with ThreadPoolExecutor(4) as pool:
        given = [pool.submit(copy_context().run, work, name) for name in "abcdefgh"]
        for each in given:
            each.result(PATIENT)

    ways = [sdk.ancestors(span)[2:] for span in sdk.named("attempt")]
    assert sorted(ways) == [[name] for name in "abcdefgh"]


def test_who_follows_anothers_call_has_no_attempt_and_a_span_of_its_own(
    sdk: Sdk, lm: dspex.LM, provider: FakeProvider
) -> None:
    lm("same")
    lm("same")

    first, second = sdk.named("chat")
    assert [first.attributes["dspex.cache"], second.attributes["dspex.cache"]] == [
        "miss",
        "hit",
    ]
    assert second.attributes["gen_ai.usage.input_tokens"] == 0
    assert len(sdk.named("attempt")) == 1
    points = sdk.figures()[gen_ai.TOKENS]
    assert {point.count for point in points} == {1}


def test_spans_are_ended_and_parents_right_after_the_client_was_killed(
    sdk: Sdk, lm: dspex.LM, provider: FakeProvider
) -> None:
    provider.pause()
    asking = threading.Thread(target=copy_context().run, args=(ask,))
    asking.start()
    provider.wait_for_in_flight(1, PATIENT)
    kill(current_runtime(), client_name(lm))
    provider.resume()
    asking.join(PATIENT)
    ask("after")

    assert all(span.end_time for span in sdk.spans)
    assert sdk.ancestors(sdk.named("attempt")[-1])[0] == "chat small"


def test_what_a_handler_of_somebody_put_on_top_is_left_alone(sdk: Sdk) -> None:
    tracer = sdk.tracers.get_tracer("users")

    with tracer.start_as_current_span("mine"):
        ask()
        inner = trace.get_current_span()

    assert getattr(inner, "name", None) == "mine"


def test_nothing_is_kept_of_calls_that_have_ended(sdk: Sdk) -> None:
    for number in range(50):
        ask(str(number))
    gc.collect()

    steps = [one for one in gc.get_objects() if isinstance(one, spans._Step)]
    assert len([one for one in steps if not one.is_over]) == 0
    assert len(steps) < 10


def test_spans_that_never_end_are_ended_when_there_are_too_many(
    sdk: Sdk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spans, "MOST_OPEN", 3)
    for number in range(5):
        EVERYWHERE.emit(names.TOOL_START, span=f"lost {number}", name=f"t{number}")

    assert [span.name for span in sdk.spans] == ["execute_tool t0", "execute_tool t1"]
    for number in range(5):
        EVERYWHERE.emit(names.TOOL_STOP, span=f"lost {number}", name=f"t{number}")


def test_a_refused_key_is_an_error_of_call_and_attempt(sdk: Sdk) -> None:
    with FakeProvider(api_key="another") as refusing, pytest.raises(LMError):
        dspex.LM("openai/small", api_base=refusing.base_url, api_key="k")("q")

    [chat], [attempt] = sdk.named("chat"), sdk.named("attempt")
    for span in (chat, attempt):
        assert span.attributes["error.type"] == "LMAuthError"
        assert span.status.status_code is StatusCode.ERROR
    assert attempt.attributes["http.response.status_code"] == 401
