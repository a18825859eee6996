"""What each wire format sends, the fake provider understands, and the other way round.

Formats and fake provider were written from the same public documents by different
hands, so each holds the other to them.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest

from dspex.client.http_messages import HttpResponse
from dspex.client.providers.anthropic_messages import ANTHROPIC_MESSAGES
from dspex.client.providers.endpoint import Endpoint
from dspex.client.providers.format import Format, RateLimits, Sender
from dspex.client.providers.gemini import GEMINI
from dspex.client.providers.openai_chat import OPENAI_CHAT
from dspex.client.providers.openai_embeddings import OPENAI_EMBEDDINGS
from dspex.client.secrets import Secret
from dspex.core import errors
from dspex.core.lm import Message, Reply, Request, Usage
from dspex.testing import (
    BAD_JSON,
    NOT_JSON,
    OVERLOADED,
    RATE_LIMITED,
    SERVER_ERROR,
    Chunked,
    FakeProvider,
    Fault,
    FullAnswer,
    RateLimit,
    Status,
    StreamError,
    StreamUnfinished,
    ToolCallAnswer,
    vector_of,
)

NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
NOW = 1_000_000.0
CHAT = (Message("system", "Be brief."), Message("user", "Peru?"))
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {}}}
RICH = FullAnswer(
    text="Lima, of course.",
    reasoning="Peru it is.",
    tool_calls=(ToolCallAnswer("weather", {"city": "Lima"}, id="call_7"),),
)


@dataclass(frozen=True)
class Api:
    """A format, and where the fake provider speaks it."""

    format: Format
    """The format."""
    root: str
    """What stands between the server's address and the format's own path."""

    def ask(
        self,
        provider: FakeProvider,
        *,
        key: str = "right",
        stream: bool = False,
        turns: tuple[Message, ...] = CHAT,
        **settings: Any,
    ) -> tuple[Endpoint, httpx.Response]:
        """Send one request as the format writes it."""
        endpoint = Endpoint(
            provider="fake",
            base_url=provider.root_url + self.root,
            model="m",
            api_key=Secret(key),
        )
        request = self.format.build(
            Request(model="m", messages=turns, settings=settings),
            endpoint,
            request_id="r-1",
            idempotency_key="c-1",
            stream=stream,
        )
        answer = httpx.request(
            request.method,
            request.url,
            headers=request.headers,
            content=request.body,
            trust_env=False,
            verify=NO_TLS,
        )
        return endpoint, answer

    def reply(self, provider: FakeProvider, **how: Any) -> Reply:
        """Ask, and read the answer as the format does."""
        endpoint, answer = self.ask(provider, **how)
        sender = Sender(endpoint=endpoint, label="fake/m", wall_clock=lambda: NOW)
        headers = {name.lower(): value for name, value in answer.headers.items()}
        if how.get("stream") and answer.status_code == 200:
            reader = self.format.reader(headers, sender)
            for at in range(0, len(answer.content), 7):
                reader.feed(answer.content[at : at + 7])
            return reader.finish()
        response = HttpResponse(
            status=answer.status_code, headers=headers, body=answer.content
        )
        return self.format.read(response, sender)

    def limits(self, provider: FakeProvider) -> RateLimits:
        """Ask, and read what the headers say of the limits."""
        _endpoint, answer = self.ask(provider)
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return self.format.limits(headers, lambda: NOW)


OPENAI = Api(OPENAI_CHAT, "/v1")
ANTHROPIC = Api(ANTHROPIC_MESSAGES, "/v1")
GOOGLE = Api(GEMINI, "/v1beta")
APIS = pytest.mark.parametrize(
    "api", [OPENAI, ANTHROPIC, GOOGLE], ids=["openai", "anthropic", "gemini"]
)
STREAM = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


@contextmanager
def answering(answer: str | FullAnswer | ToolCallAnswer) -> Iterator[FakeProvider]:
    with FakeProvider(answer=lambda _messages: answer, api_key="right") as provider:
        yield provider


@APIS
@STREAM
def test_a_text_arrives_with_its_usage(api: Api, stream: bool) -> None:
    with answering("Lima, of course.") as provider:
        reply = api.reply(provider, stream=stream)

        assert provider.bill[0].streamed is stream
        assert (
            reply.usage
            == provider.bill[0].usage
            == Usage(prompt_tokens=3, completion_tokens=3)
        )
    assert reply.texts == ("Lima, of course.",)
    assert (reply.finish_reasons, reply.model) == (("stop",), "m")


@APIS
@STREAM
def test_reasoning_and_tool_calls_arrive(api: Api, stream: bool) -> None:
    with answering(RICH) as provider:
        reply = api.reply(provider, stream=stream, tools=[TOOL])

    assert reply.texts == ("Lima, of course.",)
    assert reply.reasoning == ("Peru it is.",)
    assert reply.finish_reasons == ("tool_calls",)
    [[call]] = reply.tool_calls
    assert (call.name, json.loads(call.arguments)) == ("weather", {"city": "Lima"})


@APIS
@STREAM
@pytest.mark.parametrize("reason", ["length", "content_filter"])
def test_an_answer_that_is_not_whole_says_so(
    api: Api, stream: bool, reason: str
) -> None:
    with answering(FullAnswer(text="Li", finish_reason=reason)) as provider:
        reply = api.reply(provider, stream=stream)

    assert reply.texts == ("Li",)
    assert not reply.is_whole


@STREAM
@pytest.mark.parametrize("api", [OPENAI, GOOGLE], ids=["openai", "gemini"])
def test_several_completions_arrive_in_order(api: Api, stream: bool) -> None:
    numbers = iter(range(3))

    with FakeProvider(answer=lambda _messages: str(next(numbers))) as provider:
        reply = api.reply(provider, stream=stream, n=3)

    assert reply.texts == ("0", "1", "2")


@APIS
def test_the_ids_of_a_request_are_on_the_bill(api: Api) -> None:
    with answering("ok") as provider:
        reply = api.reply(provider)

        [billed] = provider.bill_of("r-1")
        assert provider.bill_of("c-1") == (billed,)
    assert reply.request_id is not None


@APIS
@STREAM
@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (RATE_LIMITED, errors.LMRateLimitError),
        (SERVER_ERROR, errors.LMServerError),
        (OVERLOADED, errors.LMServerError),
        (Status(529), errors.LMServerError),
        (Status(400), errors.LMInvalidRequestError),
        (Status(402), errors.LMBillingError),
        (Status(403), errors.LMAuthError),
        (BAD_JSON, errors.LMResponseError),
        (NOT_JSON, errors.LMResponseError),
    ],
    ids=lambda value: getattr(value, "__name__", str(getattr(value, "status", value))),
)
def test_a_refusal_is_read_as_what_it_is(
    api: Api, stream: bool, fault: Fault, expected: type[errors.LMError]
) -> None:
    with answering("ok") as provider:
        provider.misbehave(fault)
        with pytest.raises(expected) as caught:
            api.reply(provider, stream=stream)

    assert type(caught.value) is expected


@APIS
def test_a_wrong_key_is_read_as_one(api: Api) -> None:
    with answering("ok") as provider, pytest.raises(errors.LMAuthError):
        api.reply(provider, key="wrong")


@APIS
@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_stream_that_ends_too_early_is_an_error(api: Api, after: int) -> None:
    with answering("Lima, of course.") as provider:
        provider.misbehave(StreamUnfinished(after=after))
        with pytest.raises(errors.LMResponseError):
            api.reply(provider, stream=True)


@APIS
@pytest.mark.parametrize("after", [0, 1, 2])
def test_an_error_in_a_stream_is_read_as_one(api: Api, after: int) -> None:
    with answering("Lima, of course.") as provider:
        provider.misbehave(StreamError(after=after, error=OVERLOADED))
        with pytest.raises(errors.LMError) as caught:
            api.reply(provider, stream=True)

    assert OVERLOADED.message in str(caught.value)


@APIS
@STREAM
def test_chunks_may_be_cut_anywhere(api: Api, stream: bool) -> None:
    with answering(RICH) as provider:
        plain = api.reply(provider, stream=stream)
        provider.misbehave(Chunked(size=3))
        chunked = api.reply(provider, stream=stream)

    number = plain.request_id
    calls = plain.tool_calls
    assert replace(chunked, request_id=number, tool_calls=calls) == plain


@pytest.mark.parametrize("api", [OPENAI, ANTHROPIC], ids=["openai", "anthropic"])
def test_announced_limits_are_read(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: NOW)
    limit = RateLimit(requests=30, tokens=1000, per=60.0)
    with FakeProvider(limit=limit) as provider:
        limits = api.limits(provider)

    assert (limits.requests.limit, limits.requests.remaining) == (30, 29)
    assert limits.requests.reset_in == pytest.approx(2.0, abs=0.01)
    assert limits.tokens.limit == 1000
    assert limits.tokens.remaining is not None
    assert limits.tokens.remaining < 1000


@pytest.mark.parametrize("how", ["seconds", "ms", "date"])
@APIS
def test_the_time_to_come_back_is_read(
    api: Api, how: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.time", lambda: NOW)
    limit = RateLimit(requests=1, per=30.0, kind="window", retry_after=how)
    with FakeProvider(limit=limit) as provider:
        api.reply(provider)
        with pytest.raises(errors.LMRateLimitError) as caught:
            api.reply(provider)

    assert caught.value.retry_after is not None
    assert 25.0 < caught.value.retry_after <= 31.0


def test_vectors_arrive() -> None:
    embeddings = Api(OPENAI_EMBEDDINGS, "/v1")
    turns = (Message("user", "Be brief."), Message("user", "Peru?"))

    with FakeProvider() as provider:
        reply = embeddings.reply(provider, turns=turns, dimensions=4)

    expected = [vector_of(turn.text, 4) for turn in turns]
    for vector, one in zip(reply.vectors, expected, strict=True):
        assert vector == pytest.approx(one, abs=1e-6)
    assert reply.usage == Usage(prompt_tokens=3)
