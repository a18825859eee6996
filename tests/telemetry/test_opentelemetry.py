"""Spans and figures, as a real SDK's exporters get them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.trace import SpanKind

import dspex
from dspex.core.errors import LMError
from dspex.telemetry import gen_ai
from dspex.testing import FakeProvider
from tests.telemetry.sdk import Sdk

ANSWER = "[[ ## answer ## ]]\nthe answer canary"
KEY = "sk-canary-0123456789"


@pytest.fixture(autouse=True)
def model() -> Iterator[None]:
    with (
        FakeProvider(answer=lambda _messages: ANSWER) as provider,
        dspex.Runtime(dspex.Config(persist=False)),
        dspex.context(
            lm=dspex.LM(
                "openai/small",
                api_base=provider.base_url,
                api_key=KEY,
                temperature=0.5,
            )
        ),
    ):
        yield


def ask(question: str = "a question") -> Any:
    return dspex.Predict("question -> answer")(question=question)


def test_a_request_is_below_its_program_and_that_below_the_users_own_span(
    sdk: Sdk,
) -> None:
    with sdk.tracers.get_tracer("users").start_as_current_span("mine"):
        ask()

    [attempt] = (span for span in sdk.spans if span.name.startswith("attempt"))
    assert sdk.ancestors(attempt) == ["chat small", "program Predict", "mine"]


def test_a_chat_has_the_names_of_the_conventions(sdk: Sdk) -> None:
    ask()

    [chat] = (span for span in sdk.spans if span.name == "chat small")
    assert chat.kind is SpanKind.CLIENT
    assert chat.attributes["gen_ai.operation.name"] == "chat"
    assert chat.attributes["gen_ai.provider.name"] == "openai"
    assert chat.attributes["gen_ai.request.model"] == "small"
    assert chat.attributes["gen_ai.request.temperature"] == 0.5
    assert chat.attributes["gen_ai.usage.input_tokens"] > 0
    assert chat.attributes["server.address"] == "127.0.0.1"


def test_a_coroutine_is_below_the_span_around_it(sdk: Sdk) -> None:
    async def main() -> None:
        with sdk.tracers.get_tracer("users").start_as_current_span("mine"):
            await dspex.Predict("question -> answer").acall(question="a question")

    asyncio.run(main())

    [attempt] = (span for span in sdk.spans if span.name.startswith("attempt"))
    assert sdk.ancestors(attempt) == ["chat small", "program Predict", "mine"]


def test_the_examples_of_an_evaluation_are_below_it_in_their_worker_threads(
    sdk: Sdk,
) -> None:
    rows = [dspex.Example(question=str(n)).with_inputs("question") for n in range(3)]

    with sdk.tracers.get_tracer("users").start_as_current_span("mine"):
        dspex.Evaluate(devset=rows, metric=lambda _row, _got: 1.0)(
            dspex.Predict("question -> answer")
        )

    chats = [span for span in sdk.spans if span.name == "chat small"]
    way = ["program Predict", "evaluate example", "evaluate Evaluate", "mine"]
    assert [sdk.ancestors(chat) for chat in chats] == [way] * 3
    told = [each.log_record for each in sdk.logs.get_finished_logs()]
    assert [each.event_name for each in told] == [gen_ai.EVALUATION_RESULT] * 3
    scores = {(each.attributes or {})[gen_ai.SCORE_VALUE] for each in told}
    assert scores == {1.0}


def test_figures_count_what_was_asked_and_nothing_from_the_cache(sdk: Sdk) -> None:
    ask()
    ask()

    found = sdk.figures()
    [duration] = found[gen_ai.DURATION]
    assert duration.count == 1
    assert tuple(duration.explicit_bounds) == gen_ai.DURATION_BUCKETS
    kinds = {each.attributes[gen_ai.TOKEN_TYPE] for each in found[gen_ai.TOKENS]}
    assert kinds == {"input", "output"}


def test_neither_prompts_nor_keys_are_recorded_unless_asked_for(sdk: Sdk) -> None:
    ask("the question canary")

    assert "chat small" in sdk.all_said()
    assert "canary" not in sdk.all_said()


def test_content_is_recorded_when_it_is_asked_for_and_keys_never() -> None:
    sdk = Sdk()
    handle = sdk.instrument(capture_content=True)

    ask("the question canary")
    handle.uninstrument()

    assert "the question canary" in sdk.all_said()
    assert "the answer canary" in sdk.all_said()
    assert KEY not in sdk.all_said()


def test_an_error_is_told_by_its_class_and_not_by_its_text(sdk: Sdk) -> None:
    with (
        FakeProvider(api_key="another") as provider,
        pytest.raises(LMError),
    ):
        lm = dspex.LM("openai/other", api_base=provider.base_url, api_key=KEY)
        lm("the question canary")

    [chat] = (span for span in sdk.spans if span.name == "chat other")
    assert chat.attributes["error.type"] == "LMAuthError"
    assert not chat.status.is_ok
    assert "canary" not in sdk.all_said()


def test_nothing_is_recorded_after_uninstrumenting() -> None:
    sdk = Sdk()
    sdk.instrument().uninstrument()

    ask()

    assert sdk.spans == ()
