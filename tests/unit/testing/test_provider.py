"""The fake provider, seen from a plain blocking client."""

import asyncio
import socket
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from dspex.testing import (
    EMPTY_CHOICES,
    OUT_OF_QUOTA,
    RATE_LIMITED,
    SERVER_ERROR,
    WRONG_KEY,
    CloseBeforeAnswer,
    Drip,
    FakeProvider,
    HalfBody,
    Hang,
    HugeBody,
    Reset,
    Status,
)

PATIENT = 10.0
# Making httpx's own context takes longer than most of these tests.
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider() as provider:
        yield provider


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(16) as pool:
        yield pool


def ask(provider: FakeProvider, text: str = "hi", **more: Any) -> httpx.Response:
    headers = more.pop("headers", {})
    timeout = more.pop("timeout", PATIENT)
    return httpx.post(
        f"{provider.base_url}/chat/completions",
        json={"model": "m", "messages": [{"role": "user", "content": text}], **more},
        headers=headers,
        timeout=timeout,
        trust_env=False,
        verify=NO_TLS,
    )


def content(response: httpx.Response) -> str:
    text: str = response.json()["choices"][0]["message"]["content"]
    return text


def fates(provider: FakeProvider) -> list[str]:
    return [billed.fate for billed in provider.bill]


def test_answer_function_sees_the_messages() -> None:
    with FakeProvider(answer=lambda messages: messages[-1]["content"] * 2) as provider:
        response = ask(provider, "ab")

    assert content(response) == "abab"
    assert response.json()["usage"]["total_tokens"] == 2


def test_answer_may_be_a_whole_body() -> None:
    with FakeProvider(answer=lambda _messages: {"choices": []}) as provider:
        assert ask(provider).json() == {"choices": []}


def test_several_completions_are_several_answers() -> None:
    numbers = iter(range(10))
    with FakeProvider(answer=lambda _messages: str(next(numbers))) as provider:
        choices = ask(provider, n=3).json()["choices"]

    assert [choice["message"]["content"] for choice in choices] == ["0", "1", "2"]


def test_answer_function_that_raises_is_a_server_error_that_says_so() -> None:
    def broken(_messages: object) -> str:
        raise KeyError("capital")

    with FakeProvider(answer=broken) as provider:
        response = ask(provider)

    assert response.status_code == 500
    assert "KeyError('capital')" in response.text


def test_bill_keeps_what_was_asked(provider: FakeProvider) -> None:
    ids = {"X-Client-Request-Id": "r-1", "Idempotency-Key": "c-1"}

    ask(provider, "hello", headers=ids, temperature=0.5)

    [billed] = provider.bill
    assert (billed.number, billed.request_id, billed.idempotency_key) == (
        1,
        "r-1",
        "c-1",
    )
    assert billed.body["messages"][0]["content"] == "hello"
    assert billed.body["temperature"] == 0.5
    assert billed.path == "/v1/chat/completions"
    assert (billed.status, billed.fate) == (200, "answered")


def test_bill_does_not_show_a_key(provider: FakeProvider) -> None:
    ask(provider, headers={"Authorization": "Bearer sk-canary"})

    assert "canary" not in repr(provider.bill)
    assert provider.bill[0].headers["authorization"] == "Bearer sk-canary"


def test_wrong_key_is_refused() -> None:
    with FakeProvider(api_key="right") as provider:
        wrong = ask(provider, headers={"Authorization": "Bearer wrong"})
        right = ask(provider, headers={"Authorization": "Bearer right"})

    assert (wrong.status_code, right.status_code) == (401, 200)


def test_connection_is_kept_alive(provider: FakeProvider) -> None:
    with httpx.Client(trust_env=False, verify=NO_TLS) as client:
        streams = set()
        for _ in range(3):
            reply = client.post(f"{provider.base_url}/chat/completions", json={})
            streams.add(
                reply.extensions["network_stream"].get_extra_info("client_addr")
            )

    assert len(streams) == 1


def test_model_list_is_served_and_not_billed(provider: FakeProvider) -> None:
    reply = httpx.get(f"{provider.base_url}/models", trust_env=False, verify=NO_TLS)

    assert reply.json()["data"][0]["id"] == "fake"
    assert provider.bill == ()


def test_other_path_is_not_found(provider: FakeProvider) -> None:
    reply = httpx.post(
        f"{provider.base_url}/images", json={}, trust_env=False, verify=NO_TLS
    )

    assert reply.status_code == 404
    assert provider.bill[0].status == 404


@pytest.mark.parametrize(
    "fault", [RATE_LIMITED, WRONG_KEY, OUT_OF_QUOTA, SERVER_ERROR, Status(529)]
)
def test_status_fault_is_an_openai_error(provider: FakeProvider, fault: Status) -> None:
    provider.misbehave(fault)

    response = ask(provider)

    assert response.status_code == fault.status
    assert response.json()["error"]["message"] == fault.message
    assert response.json()["error"]["code"] == fault.code
    for name, value in fault.headers.items():
        assert response.headers[name] == value
    assert (provider.bill[0].status, provider.bill[0].fate) == (
        fault.status,
        "answered",
    )


def test_raw_body_is_sent_as_it_is(provider: FakeProvider) -> None:
    provider.misbehave(EMPTY_CHOICES)

    assert ask(provider).content == EMPTY_CHOICES.body


@pytest.mark.parametrize("fault", [CloseBeforeAnswer(), Reset(), HalfBody()])
def test_broken_answer_is_on_the_bill_as_cut(
    provider: FakeProvider, fault: CloseBeforeAnswer | Reset | HalfBody
) -> None:
    provider.misbehave(fault)

    with pytest.raises(httpx.TransportError):
        ask(provider)

    assert fates(provider) == ["cut"]


def test_client_that_gives_up_is_on_the_bill_as_gone(provider: FakeProvider) -> None:
    provider.misbehave(Hang())

    with pytest.raises(httpx.ReadTimeout):
        ask(provider, timeout=0.05)

    provider.wait_for_idle(PATIENT)
    assert fates(provider) == ["gone"]
    assert provider.bill[0].status is None


def test_idle_is_who_has_read_what_clients_sent_and_seen_them_leave(
    pool: ThreadPoolExecutor,
) -> None:
    inside, leave = threading.Event(), threading.Event()

    def answer(_messages: object) -> str:
        inside.set()
        assert leave.wait(PATIENT)
        return "late"

    with FakeProvider(answer=answer) as provider:
        provider.misbehave(Hang(), on=2)
        pool.submit(ask, provider)
        assert inside.wait(PATIENT)
        # The server's thread is busy, so all of this is yet to be read.
        with connect(httpx.URL(provider.base_url).port or 0) as hasty:
            hasty.sendall(
                b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}"
            )

        leave.set()
        provider.wait_for_idle(PATIENT)

        assert fates(provider) == ["answered", "gone"]


def test_client_that_leaves_while_an_answer_drips_is_gone(
    provider: FakeProvider,
) -> None:
    provider.misbehave(Drip(60.0))

    with pytest.raises(httpx.ReadTimeout):
        ask(provider, timeout=0.05)

    provider.wait_for_idle(PATIENT)
    assert fates(provider) == ["gone"]


def test_large_answer_that_is_not_read_to_its_end_is_not_answered(
    provider: FakeProvider,
) -> None:
    provider.misbehave(HugeBody(64 * 1024 * 1024))
    url = f"{provider.base_url}/chat/completions"

    with httpx.stream("POST", url, json={}, trust_env=False, verify=NO_TLS) as reply:
        assert next(reply.iter_bytes(1))

    provider.wait_for_idle(PATIENT)
    assert fates(provider) == ["gone"]


@pytest.mark.parametrize(
    ("on", "expected"),
    [
        (2, [200, 500, 200, 200]),
        ((1, 3), [500, 200, 500, 200]),
        (lambda billed: billed.number > 2, [200, 200, 500, 500]),
        (None, [500, 500, 500, 500]),
    ],
)
def test_fault_acts_on_the_requests_it_is_for(
    provider: FakeProvider, on: Any, expected: list[int]
) -> None:
    provider.misbehave(SERVER_ERROR, on=on)

    assert [ask(provider).status_code for _ in range(4)] == expected


def test_faults_are_tried_in_order_and_forgotten_on_demand(
    provider: FakeProvider,
) -> None:
    provider.misbehave(SERVER_ERROR, times=1)
    provider.misbehave(RATE_LIMITED)

    before = [ask(provider).status_code for _ in range(2)]
    provider.behave()

    assert [*before, ask(provider).status_code] == [500, 429, 200]


def test_slots_bound_what_is_worked_on_and_queue_the_rest(
    pool: ThreadPoolExecutor,
) -> None:
    clock = LastAnswer()
    with FakeProvider(slots=4, latency=0.02, answer=clock.answer) as provider:
        provider.pause()
        asked = [pool.submit(ask, provider) for _ in range(16)]
        provider.wait_for_in_flight(16, PATIENT)
        provider.resume()

        assert [one.result(PATIENT).status_code for one in asked] == [200] * 16
        last_received = max(billed.received_at for billed in provider.bill)

    # Four rounds of four: the last answer cannot be out before four latencies.
    assert clock.at - last_received >= 0.079


class LastAnswer:
    """Notes when an answer was asked for."""

    def __init__(self) -> None:
        self.at = 0.0

    def answer(self, _messages: object) -> str:
        self.at = asyncio.get_running_loop().time()
        return "ok"


def test_slot_is_free_again_when_its_client_goes_away() -> None:
    with FakeProvider(slots=1) as provider:
        provider.misbehave(Hang(), on=1)
        with pytest.raises(httpx.ReadTimeout):
            ask(provider, timeout=0.05)

        assert ask(provider).status_code == 200


def test_pause_holds_requests_until_resume(
    provider: FakeProvider, pool: ThreadPoolExecutor
) -> None:
    provider.pause()
    asked = [pool.submit(ask, provider) for _ in range(5)]

    provider.wait_for_in_flight(5, PATIENT)
    assert fates(provider) == ["open"] * 5
    provider.resume()

    assert [one.result(PATIENT).status_code for one in asked] == [200] * 5
    assert (provider.in_flight, provider.in_flight_max) == (0, 5)


def test_long_queue_is_worked_off_without_recursion() -> None:
    with FakeProvider(slots=1) as provider:
        provider.pause()
        url = httpx.URL(provider.base_url)
        body = b"{}"
        request = (
            b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: %d\r\n\r\n%s"
        ) % (len(body), body)
        sockets = [connect(url.port or 0) for _ in range(400)]
        for one in sockets:
            one.sendall(request)
        provider.wait_for_in_flight(400, PATIENT)

        provider.resume()

        provider.wait_for_idle(PATIENT)
        assert fates(provider) == ["answered"] * 400
        for one in sockets:
            one.close()


def connect(port: int) -> Any:
    return socket.create_connection(("127.0.0.1", port), PATIENT)


def test_provider_that_is_down_refuses_and_comes_back_on_the_same_port(
    provider: FakeProvider,
) -> None:
    address = provider.base_url
    provider.stop()
    with pytest.raises(httpx.ConnectError):
        ask(provider)

    provider.start()

    assert ask(provider).status_code == 200
    assert provider.base_url == address


def test_provider_may_be_started_without_a_block() -> None:
    provider = FakeProvider()

    provider.start()

    assert ask(provider).status_code == 200
    provider.__exit__(None, None, None)


def test_going_down_cuts_what_is_open(
    provider: FakeProvider, pool: ThreadPoolExecutor
) -> None:
    provider.pause()
    asked = pool.submit(ask, provider)
    provider.wait_for_in_flight(1, PATIENT)

    provider.stop()

    assert isinstance(asked.exception(PATIENT), httpx.TransportError)
    assert fates(provider) == ["cut"]


def test_waiting_in_vain_says_what_there_is(provider: FakeProvider) -> None:
    ask(provider)

    with pytest.raises(TimeoutError, match="0 in flight of 1 received"):
        provider.wait_for_in_flight(1, 0.01)
    with pytest.raises(TimeoutError, match="2 requests received"):
        provider.wait_for_bill(2, 0.01)


def test_waiting_for_the_bill_returns_when_it_is_long_enough(
    provider: FakeProvider, pool: ThreadPoolExecutor
) -> None:
    provider.pause()
    asked = pool.submit(ask, provider)

    provider.wait_for_bill(1, PATIENT)
    provider.resume()

    assert asked.result(PATIENT).status_code == 200


def test_latency_may_depend_on_the_request() -> None:
    seen: list[int] = []

    def latency(number: int) -> float:
        seen.append(number)
        return 0.0

    with FakeProvider(latency=latency) as provider:
        ask(provider)
        ask(provider)

    assert seen == [1, 2]


def test_thread_ends_with_the_context() -> None:
    before = threading.active_count()

    with FakeProvider() as provider:
        ask(provider)
        assert threading.active_count() > before

    assert threading.active_count() == before
    assert fates(provider) == ["answered"]
