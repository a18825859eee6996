"""Streamed answers, and the ways they can end badly."""

import json
import threading
from collections.abc import Iterator

import httpx
import pytest

from dspex.testing import (
    OVERLOADED,
    SERVER_ERROR,
    Billed,
    Chunked,
    EndlessBody,
    FakeProvider,
    Fault,
    FullAnswer,
    HalfBody,
    StreamCut,
    StreamError,
    StreamStall,
    StreamUnfinished,
    ToolCallAnswer,
)
from tests.unit.testing.asking import NO_TLS, PATIENT, ask, events, events_in, texts

TEXT = "The capital of Peru is  Lima.\n"
APIS = ("openai", "anthropic", "gemini")

HASTY = 0.25
"""Seconds of silence that a test waits for; what comes before comes sooner."""


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider(answer=lambda _messages: TEXT) as provider:
        yield provider


def read_until_it_breaks(provider: FakeProvider, timeout: float = PATIENT) -> str:
    """Return what arrived of a stream before its connection broke or fell silent."""
    arrived = b""
    url = f"{provider.base_url}/chat/completions"
    asked = {"stream": True, "messages": []}
    try:
        with httpx.stream(
            "POST", url, json=asked, timeout=timeout, trust_env=False, verify=NO_TLS
        ) as reply:
            for data in reply.iter_raw():
                arrived += data
    except httpx.TransportError as error:
        return f"{arrived.decode()}{type(error).__name__}"
    return arrived.decode()


def only(provider: FakeProvider) -> Billed:
    provider.wait_for_idle(PATIENT)
    [billed] = provider.bill
    return billed


def test_a_stream_says_the_same_as_a_whole_answer(provider: FakeProvider) -> None:
    said = events(ask(provider, stream=True))

    assert texts(said) == TEXT
    assert said[-1] == "[DONE]"
    assert said[-2]["choices"] == [{"index": 0, "delta": {}, "finish_reason": "stop"}]
    assert all("usage" not in event for event in said[:-1])


def test_a_stream_says_its_usage_when_asked(provider: FakeProvider) -> None:
    said = events(
        ask(provider, text="a b", stream=True, stream_options={"include_usage": True})
    )

    usage = {"prompt_tokens": 2, "completion_tokens": 6, "total_tokens": 8}
    assert said[-2] == {**said[0], "choices": [], "usage": usage}
    assert {event["usage"] for event in said[:-2]} == {None}


def test_several_completions_come_in_one_stream(provider: FakeProvider) -> None:
    said = events(ask(provider, stream=True, n=2))

    indices = [event["choices"][0]["index"] for event in said[:-1]]
    assert set(indices) == {0, 1}
    assert texts(said) == TEXT * 2


def test_tool_calls_are_streamed_in_pieces() -> None:
    call = ToolCallAnswer("weather", {"city": "Lima", "days": 2})
    with FakeProvider(answer=lambda _messages: call) as provider:
        said = events(ask(provider, stream=True))

    deltas = [event["choices"][0]["delta"] for event in said[:-1]]
    pieces = [delta["tool_calls"][0] for delta in deltas if "tool_calls" in delta]
    assert (pieces[0]["id"], pieces[0]["function"]["name"]) == ("call_1_0", "weather")
    arguments = "".join(piece["function"]["arguments"] for piece in pieces)
    assert json.loads(arguments) == {"city": "Lima", "days": 2}
    assert said[-2]["choices"][0]["finish_reason"] == "tool_calls"


def test_an_anthropic_stream_has_its_events_in_order() -> None:
    answer = FullAnswer(
        text="Lima it is", reasoning="Peru", tool_calls=(ToolCallAnswer("look"),)
    )
    with FakeProvider(answer=lambda _messages: answer) as provider:
        reply = ask(provider, "anthropic", stream=True)

    said = events(reply)
    names = [
        line.removeprefix("event: ")
        for line in reply.text.splitlines()
        if line.startswith("event: ")
    ]
    assert names == [event["type"] for event in said]
    assert names[:2] == ["message_start", "ping"]
    assert names[-2:] == ["message_delta", "message_stop"]
    deltas = [event["delta"] for event in said if event["type"].endswith("block_delta")]
    assert [delta["type"] for delta in deltas] == [
        "thinking_delta",
        "signature_delta",
        "text_delta",
        "text_delta",
        "text_delta",
        "input_json_delta",
    ]
    assert "".join(delta.get("text", "") for delta in deltas) == "Lima it is"
    assert said[-2]["delta"]["stop_reason"] == "tool_use"
    assert said[-2]["usage"] == {
        "output_tokens": provider.bill[0].usage.completion_tokens
    }


def test_a_gemini_stream_ends_with_reason_and_usage(provider: FakeProvider) -> None:
    said = events(ask(provider, "gemini", stream=True))

    texts = [event["candidates"][0]["content"]["parts"][0]["text"] for event in said]
    assert "".join(texts) == TEXT
    assert [event["candidates"][0].get("finishReason") for event in said] == [
        *[None] * (len(said) - 1),
        "STOP",
    ]
    assert said[-1]["usageMetadata"]["totalTokenCount"] == 7


@pytest.mark.parametrize("api", APIS)
def test_a_streamed_answer_is_billed_like_a_whole_one(
    provider: FakeProvider, api: str
) -> None:
    ask(provider, api, stream=True)
    ask(provider, api)

    streamed, whole = provider.bill
    assert (streamed.streamed, whole.streamed) == (True, False)
    assert (streamed.fate, whole.fate) == ("answered", "answered")
    assert streamed.usage == whole.usage
    assert streamed.usage.completion_tokens == 6


@pytest.mark.parametrize(
    ("fault", "fate"),
    [
        (StreamCut(after=2), "cut"),
        (StreamStall(after=2), "gone"),
        (StreamUnfinished(after=2), "cut"),
        (StreamError(after=2), "cut"),
    ],
)
def test_a_broken_stream_has_sent_so_much_and_no_more(
    provider: FakeProvider, fault: Fault, fate: str
) -> None:
    provider.misbehave(fault)
    stalls = isinstance(fault, StreamStall)

    arrived = read_until_it_breaks(provider, timeout=HASTY if stalls else PATIENT)

    said = events_in(arrived)
    assert texts(said) == "The capital"
    assert "[DONE]" not in said
    assert only(provider).fate == fate
    assert only(provider).usage.completion_tokens == 2


def test_only_a_cut_stream_breaks_the_connection(provider: FakeProvider) -> None:
    provider.misbehave(StreamCut(), on=1)
    provider.misbehave(StreamUnfinished(), on=2)
    provider.misbehave(StreamError(), on=3)

    endings = [read_until_it_breaks(provider) for _ in range(3)]

    broken = [ending.endswith("RemoteProtocolError") for ending in endings]
    assert broken == [True, False, False]


def test_a_stream_may_lack_nothing_but_its_end(provider: FakeProvider) -> None:
    provider.misbehave(StreamUnfinished())

    said = events(ask(provider, stream=True))

    assert texts(said) == TEXT
    assert said[-1]["choices"][0]["finish_reason"] == "stop"


def test_a_stream_is_never_whole_when_it_is_to_break(provider: FakeProvider) -> None:
    provider.misbehave(StreamUnfinished(after=1000))

    assert "[DONE]" not in events(ask(provider, stream=True))


def test_a_stream_can_break_before_its_first_piece(provider: FakeProvider) -> None:
    provider.misbehave(StreamCut(after=0))

    assert read_until_it_breaks(provider) == "RemoteProtocolError"


@pytest.mark.parametrize("api", APIS)
def test_an_error_in_a_stream_has_the_form_of_its_api(
    provider: FakeProvider, api: str
) -> None:
    provider.misbehave(StreamError(error=OVERLOADED))

    error = events(ask(provider, api, stream=True))[-1]["error"]

    assert error["message"] == OVERLOADED.message


def test_a_stream_fault_lets_whole_answers_pass(provider: FakeProvider) -> None:
    provider.misbehave(StreamCut())

    assert ask(provider).status_code == 200


def test_a_refusal_of_a_stream_is_no_stream(provider: FakeProvider) -> None:
    provider.misbehave(SERVER_ERROR)

    reply = ask(provider, stream=True)

    assert (reply.status_code, reply.json()["error"]["code"]) == (500, None)


def test_half_a_stream_breaks_off_in_a_chunk(provider: FakeProvider) -> None:
    provider.misbehave(HalfBody())

    arrived = read_until_it_breaks(provider)

    whole = ask_again_whole(provider)
    assert arrived.endswith("RemoteProtocolError")
    sent = arrived.removesuffix("RemoteProtocolError")
    assert sent.startswith("data: {")
    assert len(sent) < len(whole)
    assert "[DONE]" not in sent
    assert provider.bill[0].fate == "cut"


def ask_again_whole(provider: FakeProvider) -> str:
    provider.behave()
    return ask(provider, stream=True).text


def test_events_may_come_cut_anywhere(provider: FakeProvider) -> None:
    provider.misbehave(Chunked(size=7))

    said = events(ask(provider, stream=True))

    assert texts(said) == TEXT
    assert only(provider).usage.completion_tokens == 6


def test_who_leaves_an_endless_stream_is_on_the_bill_with_the_time(
    provider: FakeProvider,
) -> None:
    provider.misbehave(EndlessBody())
    url = f"{provider.base_url}/chat/completions"
    asked = {"stream": True, "messages": []}

    with httpx.stream(
        "POST", url, json=asked, timeout=PATIENT, trust_env=False, verify=NO_TLS
    ) as reply:
        lines = reply.iter_lines()
        pieces = [line for line, _ in zip(lines, range(100), strict=False)]

    billed = only(provider)
    assert texts(events_in("\n".join(pieces))).startswith("TheThe")
    assert (billed.fate, billed.status) == ("gone", 200)
    assert billed.ended_at is not None
    assert billed.ended_at >= billed.received_at
    assert billed.usage.completion_tokens >= 40


def test_a_provider_waits_for_a_client_that_does_not_read(
    provider: FakeProvider,
) -> None:
    provider.misbehave(EndlessBody())
    url = f"{provider.base_url}/chat/completions"
    asked = {"stream": True, "messages": []}

    with httpx.stream(
        "POST", url, json=asked, timeout=PATIENT, trust_env=False, verify=NO_TLS
    ):
        # Others are served meanwhile.
        provider.behave()
        assert ask(provider).status_code == 200

    provider.wait_for_idle(PATIENT)
    assert [billed.fate for billed in provider.bill] == ["gone", "answered"]


def test_chunks_can_come_with_time_between_them() -> None:
    with FakeProvider(chunk_interval=60.0) as provider:
        # The first chunk comes at once and says who speaks; no other follows.
        arrived = read_until_it_breaks(provider, timeout=HASTY)

    assert texts(events_in(arrived)) == ""
    assert len(events_in(arrived)) == 1


def test_an_answer_that_cannot_be_streamed_is_refused_before_it_begins() -> None:
    seen = threading.Event()

    def broken(_messages: object) -> str:
        seen.set()
        raise KeyError("capital")

    with FakeProvider(answer=broken) as provider:
        reply = ask(provider, stream=True)

    assert seen.is_set()
    assert reply.status_code == 500
