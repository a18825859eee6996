"""The APIs the fake provider speaks, and what all of them share."""

import base64
import gzip
import math
import struct
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from dspex.client.price import Price
from dspex.core.lm import Usage
from dspex.testing import (
    OVERLOADED,
    RATE_LIMITED,
    SERVER_ERROR,
    Chunked,
    EndlessBody,
    FakeProvider,
    FullAnswer,
    Gzipped,
    RateLimit,
    Redirect,
    Status,
    ToolCallAnswer,
    vector_of,
)
from tests.unit.testing.asking import NO_TLS, PATHS, PATIENT, ask, get, post

APIS = tuple(PATHS)


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider(answer=lambda messages: f"Lima, {messages}") as provider:
        yield provider


def said(api: str, reply: httpx.Response) -> str:
    """Return the text of a whole answer."""
    body = reply.json()
    found: Any
    match api:
        case "openai":
            found = body["choices"][0]["message"]["content"]
        case "anthropic":
            found = body["content"][0]["text"]
        case _:
            found = body["candidates"][0]["content"]["parts"][0]["text"]
    return str(found)


@pytest.mark.parametrize("api", APIS)
def test_the_answer_function_sees_the_same_chat_in_every_api(
    provider: FakeProvider, api: str
) -> None:
    reply = ask(provider, api, text="Peru?")

    assert said(api, reply) == "Lima, [{'role': 'user', 'content': 'Peru?'}]"


def test_turns_of_anthropic_are_put_into_openai_words(provider: FakeProvider) -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    image = [{"type": "image"}, {"type": "text", "text": "c"}]
    turns = [{"role": "user", "content": parts}, {"role": "user", "content": image}]

    reply = post(provider, PATHS["anthropic"], {"system": "S", "messages": turns})

    chat = [
        {"role": "system", "content": "S"},
        {"role": "user", "content": "ab"},
        {"role": "user", "content": image},
    ]
    assert said("anthropic", reply) == f"Lima, {chat}"


def test_turns_of_gemini_are_put_into_openai_words(provider: FakeProvider) -> None:
    body = {
        "systemInstruction": {"parts": [{"text": "S"}]},
        "contents": [
            {"role": "user", "parts": [{"text": "a"}, {"text": "b"}]},
            {"role": "model", "parts": [{"text": "c"}]},
        ],
    }

    reply = post(provider, PATHS["gemini"], body)

    chat = [
        {"role": "system", "content": "S"},
        {"role": "user", "content": "ab"},
        {"role": "assistant", "content": "c"},
    ]
    assert said("gemini", reply) == f"Lima, {chat}"


@pytest.mark.parametrize(
    ("api", "cut_off"),
    [("openai", "length"), ("anthropic", "max_tokens"), ("gemini", "MAX_TOKENS")],
)
def test_each_api_has_its_own_word_for_an_ending(api: str, cut_off: str) -> None:
    answer = FullAnswer(text="Li", finish_reason="length")
    with FakeProvider(answer=lambda _messages: answer) as provider:
        body = ask(provider, api).json()

    words = [
        body.get("stop_reason"),
        *(one.get("finish_reason") for one in body.get("choices", [])),
        *(one.get("finishReason") for one in body.get("candidates", [])),
    ]
    assert cut_off in words


def test_a_tool_call_has_each_apis_form() -> None:
    call = ToolCallAnswer("weather", {"city": "Lima"}, id="c-9")
    with FakeProvider(answer=lambda _messages: call) as provider:
        openai, anthropic, gemini = (ask(provider, api).json() for api in APIS)

    message = openai["choices"][0]["message"]
    function = {"name": "weather", "arguments": '{"city": "Lima"}'}
    assert message["tool_calls"] == [
        {"id": "c-9", "type": "function", "function": function}
    ]
    assert message["content"] is None
    assert anthropic["content"] == [
        {"type": "tool_use", "id": "c-9", "name": "weather", "input": {"city": "Lima"}}
    ]
    assert anthropic["stop_reason"] == "tool_use"
    assert gemini["candidates"][0]["content"]["parts"] == [
        {"functionCall": {"name": "weather", "args": {"city": "Lima"}}}
    ]


def test_arguments_of_a_tool_call_may_be_broken_where_they_are_a_text() -> None:
    call = ToolCallAnswer("weather", '{"city": ')
    with FakeProvider(answer=lambda _messages: call) as provider:
        openai, anthropic = (ask(provider, api).json() for api in APIS[:2])

    [written] = openai["choices"][0]["message"]["tool_calls"]
    assert written["function"]["arguments"] == '{"city": '
    assert anthropic["content"][0]["input"] == {}


def test_reasoning_is_shown_and_counted() -> None:
    answer = FullAnswer(text="Lima", reasoning="Peru it is")
    with FakeProvider(answer=lambda _messages: answer) as provider:
        openai, anthropic, gemini = (ask(provider, api).json() for api in APIS)

    assert openai["choices"][0]["message"]["reasoning_content"] == "Peru it is"
    assert openai["usage"]["completion_tokens_details"] == {"reasoning_tokens": 3}
    assert anthropic["content"][0]["thinking"] == "Peru it is"
    assert gemini["candidates"][0]["content"]["parts"][0]["thought"] is True
    assert gemini["usageMetadata"]["thoughtsTokenCount"] == 3
    assert gemini["usageMetadata"]["candidatesTokenCount"] == 1


def test_logprobs_come_when_asked_and_are_the_same_again() -> None:
    with FakeProvider(answer=lambda _messages: "It is Lima") as provider:
        plain = ask(provider).json()["choices"][0]
        first, again = (
            ask(provider, logprobs=True, top_logprobs=3).json()["choices"][0]
            for _ in range(2)
        )

    tokens = first["logprobs"]["content"]
    assert "logprobs" not in plain
    assert first == again
    assert "".join(token["token"] for token in tokens) == "It is Lima"
    assert bytes(tokens[2]["bytes"]).decode() == " Lima"
    for token in tokens:
        top = [other["logprob"] for other in token["top_logprobs"]]
        assert len(top) == 3
        assert top == sorted(top, reverse=True)
        assert sum(math.exp(logprob) for logprob in top) <= 1
        assert top[0] == token["logprob"]


def test_gemini_gives_logprobs_and_several_candidates() -> None:
    with FakeProvider(answer=lambda _messages: "It is Lima") as provider:
        config = {"candidateCount": 2, "responseLogprobs": True}
        candidates = ask(provider, "gemini", generationConfig=config).json()

    chosen = [one["logprobsResult"] for one in candidates["candidates"]]
    assert [len(one["chosenCandidates"]) for one in chosen] == [3, 3]


@pytest.mark.parametrize(
    ("api", "header", "status"),
    [
        ("openai", "api-key", 401),
        ("anthropic", "x-api-key", 401),
        ("gemini", "x-goog-api-key", 400),
    ],
)
def test_each_api_has_its_own_header_for_the_key(
    api: str, header: str, status: int
) -> None:
    with FakeProvider(api_key="right") as provider:
        wrong = ask(provider, api, headers={header: "wrong"})
        none = ask(provider, api)
        right = ask(provider, api, headers={header: "right"})

    statuses = [reply.status_code for reply in (wrong, none, right)]
    assert statuses == [status, status, 200]
    assert "wrong API key" in wrong.text


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/v1/models", {"authorization": "Bearer right"}),
        ("/v1/models", {"x-api-key": "right", "anthropic-version": "2023-06-01"}),
        ("/v1beta/models", {"x-goog-api-key": "right"}),
    ],
)
def test_the_list_of_models_needs_the_key(path: str, headers: dict[str, str]) -> None:
    with FakeProvider(api_key="right", models=("small", "large")) as provider:
        listed = get(provider, path, **headers)
        changed = {
            name: value.replace("right", "no") for name, value in headers.items()
        }
        refused = get(provider, path, **changed)

        assert provider.bill == ()
    assert listed.status_code == 200
    assert "small" in listed.text
    assert "large" in listed.text
    assert refused.status_code in (400, 401)


def test_a_model_that_is_not_there_is_not_found() -> None:
    with FakeProvider(models=("m",)) as provider:
        known = [ask(provider, api).status_code for api in APIS]
        unknown = ask(provider, model="other")
        embedding = post(provider, "/v1/embeddings", {"model": "x", "input": "a"})

    assert known == [200, 200, 200]
    assert (unknown.status_code, embedding.status_code) == (404, 404)
    assert unknown.json()["error"]["code"] == "model_not_found"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", {"messages": "hello"}),
        ("/v1/chat/completions", {"n": "two"}),
        ("/v1/chat/completions", {"stream_options": 3}),
        ("/v1/messages", {"messages": ["hello"]}),
        ("/v1/messages", {"max_tokens": -1}),
        ("/v1beta/models/m:generateContent", {"contents": [{"parts": 3}]}),
        ("/v1beta/models/m:streamGenerateContent", {"contents": []}),
        ("/v1/embeddings", {"input": []}),
        ("/v1/embeddings", {"input": [3]}),
    ],
)
def test_a_malformed_request_is_refused_with_the_reason(
    provider: FakeProvider, path: str, body: object
) -> None:
    reply = post(provider, path, body)

    assert reply.status_code == 400
    assert reply.json()["error"]["message"]
    assert provider.bill[0].status == 400


def test_azure_paths_are_known_with_their_query(provider: FakeProvider) -> None:
    path = "/openai/deployments/mine/chat/completions?api-version=2024-10-21"

    assert post(provider, path, {"messages": []}).status_code == 200


def test_embeddings_are_the_same_for_the_same_text(provider: FakeProvider) -> None:
    asked = {"model": "e", "input": ["Lima", "Oslo", "Lima"], "dimensions": 4}

    body = post(provider, "/v1/embeddings", asked).json()

    first, other, again = (one["embedding"] for one in body["data"])
    assert first == again == list(vector_of("Lima", 4))
    assert first != other
    assert math.hypot(*first) == pytest.approx(1.0)
    assert body["usage"] == {"prompt_tokens": 3, "total_tokens": 3}
    assert provider.total_usage == Usage(prompt_tokens=3)


def test_embeddings_can_be_packed(provider: FakeProvider) -> None:
    asked = {"input": "Lima", "encoding_format": "base64"}

    [one] = post(provider, "/v1/embeddings", asked).json()["data"]

    numbers = struct.unpack("<8f", base64.b64decode(one["embedding"]))
    assert numbers == pytest.approx(vector_of("Lima"), abs=1e-6)


@pytest.mark.parametrize(
    ("api", "fault", "word"),
    [
        ("anthropic", RATE_LIMITED, "rate_limit_error"),
        ("anthropic", Status(529), "overloaded_error"),
        ("anthropic", SERVER_ERROR, "api_error"),
        ("gemini", RATE_LIMITED, "RESOURCE_EXHAUSTED"),
        ("gemini", OVERLOADED, "UNAVAILABLE"),
    ],
)
def test_a_refusal_has_the_form_of_its_api(
    provider: FakeProvider, api: str, fault: Status, word: str
) -> None:
    provider.misbehave(fault)

    reply = ask(provider, api)

    assert reply.status_code == fault.status
    assert word in reply.json()["error"].values()
    assert reply.json()["error"]["message"] == fault.message


def test_gemini_says_in_the_body_when_to_come_back(provider: FakeProvider) -> None:
    provider.misbehave(RATE_LIMITED)

    details = ask(provider, "gemini").json()["error"]["details"]

    assert details[-1]["retryDelay"] == "1s"


def test_a_limit_is_announced_in_openai_headers() -> None:
    limit = RateLimit(requests=2, tokens=100, per=3600.0, kind="window")
    with FakeProvider(limit=limit) as provider:
        replies = [ask(provider, text="a b", max_tokens=8) for _ in range(3)]

    headers = [
        (
            reply.headers["x-ratelimit-limit-requests"],
            reply.headers["x-ratelimit-remaining-requests"],
            reply.headers["x-ratelimit-remaining-tokens"],
        )
        for reply in replies
    ]
    assert [reply.status_code for reply in replies] == [200, 200, 429]
    assert headers == [("2", "1", "90"), ("2", "0", "80"), ("2", "0", "80")]
    assert replies[0].headers["x-ratelimit-reset-requests"].startswith(("59m", "1h0m"))
    assert int(replies[2].headers["retry-after"]) > 3590
    assert replies[2].json()["error"]["code"] == "rate_limit_exceeded"
    assert [billed.limited for billed in provider.bill] == [False, False, True]
    assert provider.bill[2].fault == Status(
        429,
        {"Retry-After": replies[2].headers["retry-after"]},
        message=replies[2].json()["error"]["message"],
        kind="requests",
        code="rate_limit_exceeded",
    )


def test_a_limit_is_announced_in_anthropic_headers() -> None:
    with FakeProvider(limit=RateLimit(requests=1)) as provider:
        replies = [ask(provider, "anthropic") for _ in range(2)]

    assert [reply.status_code for reply in replies] == [200, 429]
    reply = replies[1]
    assert reply.headers["anthropic-ratelimit-requests-limit"] == "1"
    assert reply.headers["anthropic-ratelimit-requests-remaining"] == "0"
    assert reply.headers["anthropic-ratelimit-requests-reset"].endswith("Z")
    assert reply.json()["error"]["type"] == "rate_limit_error"


def test_a_limit_need_not_be_announced() -> None:
    limit = RateLimit(requests=1, announce=False, retry_after=None)
    with FakeProvider(limit=limit) as provider:
        replies = [ask(provider) for _ in range(2)]

    named = {name for reply in replies for name in reply.headers}
    assert [reply.status_code for reply in replies] == [200, 429]
    assert {name for name in named if "rate" in name or "retry" in name} == set()


def test_a_wrong_key_takes_nothing_of_a_limit() -> None:
    with FakeProvider(api_key="right", limit=RateLimit(requests=1)) as provider:
        wrong = [ask(provider, headers={"api-key": "wrong"}) for _ in range(3)]
        right = ask(provider, headers={"api-key": "right"})

    assert [reply.status_code for reply in (*wrong, right)] == [401, 401, 401, 200]


def test_a_limit_can_be_changed_and_lifted() -> None:
    with FakeProvider(limit=RateLimit(requests=1)) as provider:
        before = [ask(provider).status_code for _ in range(2)]
        provider.set_limit(RateLimit(requests=1))
        between = [ask(provider).status_code for _ in range(2)]
        provider.set_limit(None)
        after = [ask(provider).status_code for _ in range(2)]

    assert [before, between, after] == [[200, 429], [200, 429], [200, 200]]


def test_a_redirect_leads_elsewhere(provider: FakeProvider) -> None:
    provider.misbehave(Redirect("http://127.0.0.1:9/v1"))

    reply = ask(provider)

    assert (reply.status_code, reply.headers["location"]) == (
        307,
        "http://127.0.0.1:9/v1",
    )


@pytest.mark.parametrize("stream", [False, True])
def test_a_gzipped_answer_is_honest(provider: FakeProvider, stream: bool) -> None:
    plain = ask(provider, stream=stream).content
    provider.misbehave(Gzipped())
    url = f"{provider.base_url}/chat/completions"
    turns = [{"role": "user", "content": "hi"}]
    asked = {"model": "m", "messages": turns, "stream": stream}

    with httpx.stream(
        "POST", url, json=asked, timeout=PATIENT, trust_env=False, verify=NO_TLS
    ) as reply:
        sent = b"".join(reply.iter_raw())

    assert reply.headers["content-encoding"] == "gzip"
    assert gzip.decompress(sent) == plain.replace(b"cmpl-1", b"cmpl-2")


def test_an_answer_may_come_in_chunks(provider: FakeProvider) -> None:
    plain = ask(provider).json()
    provider.misbehave(Chunked(size=5))

    reply = ask(provider)

    assert "content-length" not in reply.headers
    assert reply.json() == {**plain, "id": "chatcmpl-2"}
    assert provider.bill[1].usage == provider.bill[0].usage


def test_an_endless_body_is_read_as_long_as_one_likes(provider: FakeProvider) -> None:
    provider.misbehave(EndlessBody())
    url = f"{provider.base_url}/chat/completions"

    with httpx.stream(
        "POST", url, json={}, timeout=PATIENT, trust_env=False, verify=NO_TLS
    ) as reply:
        sizes = 0
        for data in reply.iter_raw():
            sizes += len(data)
            if sizes > 4 * 1024 * 1024:
                break

    provider.wait_for_idle(PATIENT)
    assert provider.bill[0].fate == "gone"


def test_the_bill_is_found_by_either_id(provider: FakeProvider) -> None:
    for attempt in ("r-1", "r-2"):
        ids = {"x-client-request-id": attempt, "idempotency-key": "c-1"}
        ask(provider, headers=ids)

    assert [billed.number for billed in provider.bill_of("r-2")] == [2]
    assert [billed.attempt for billed in provider.bill_of("c-1")] == [1, 2]
    assert provider.bill_of("r-3") == ()


def test_the_bill_says_what_was_used_and_what_it_costs() -> None:
    price = Price(input=1.0, output=4.0)
    with FakeProvider(answer=lambda _: "one two three", price=price) as provider:
        provider.misbehave(SERVER_ERROR, on=2)
        for _ in range(3):
            ask(provider, text="a b")

    assert [billed.usage.total_tokens for billed in provider.bill] == [5, 0, 5]
    assert provider.total_usage == Usage(prompt_tokens=4, completion_tokens=6)
    assert [billed.cost for billed in provider.bill] == [14e-6, 0.0, 14e-6]
    assert provider.total_cost == pytest.approx(28e-6)


def test_the_bill_says_which_fault_was_met(provider: FakeProvider) -> None:
    provider.misbehave(SERVER_ERROR, on=2)

    for _ in range(2):
        ask(provider)

    assert [billed.fault for billed in provider.bill] == [None, SERVER_ERROR]


def test_the_usage_of_a_body_of_ones_own_is_billed() -> None:
    body = {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 2}}
    with FakeProvider(answer=lambda _messages: body) as provider:
        ask(provider)

    assert provider.total_usage == Usage(prompt_tokens=7, completion_tokens=2)


def test_every_call_is_answered_at_last_when_retries_are_spared() -> None:
    with FakeProvider(seed=1) as provider:
        provider.misbehave(SERVER_ERROR, share=0.5, spare_retries=True)
        statuses = [
            [ask(provider, headers={"idempotency-key": key}).status_code for _ in "12"]
            for key in map(str, range(20))
        ]

    assert {tuple(pair) for pair in statuses} == {(200, 200), (500, 200)}


def test_the_same_seed_is_the_same_fate_for_each_request() -> None:
    def fates(seed: int) -> list[int]:
        with FakeProvider(seed=seed) as provider:
            provider.misbehave(SERVER_ERROR, share=0.3)
            return [ask(provider).status_code for _ in range(20)]

    assert fates(5) == fates(5)
    assert fates(5) != fates(6)
