"""What a service says of a request it does not answer: status, word, field."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from enum import Enum
from typing import Any

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer
from hypothesis import given
from hypothesis import strategies as st

import dspex
from dspex.client.providers.json_body import JsonError, read_object
from dspex.core import errors
from dspex.core.errors import ConfigurationError
from dspex.runtime.runtime import Runtime
from dspex.serve.contract import Contract
from dspex.serve.doorkeeper import Doorkeeper
from dspex.serve.refusals import Refusal, Refused, refusal_of
from dspex.serve.requests import Wish
from dspex.serve.service import Service
from tests.serve.lab import (
    STURDY,
    Client,
    Gate,
    ask,
    saying,
    serve,
)


class Mood(Enum):
    GLAD = "glad"
    SAD = "sad"


class Tell(dspex.Signature):
    """Tell a story."""

    topic: str = dspex.InputField(desc="what it is about")
    lines: int = dspex.InputField(ge=1)
    mood: Mood | None = dspex.InputField()
    story: str = dspex.OutputField()


TELL = Contract.of("tell", dspex.Predict(Tell))


@pytest.fixture(autouse=True)
def runtime() -> Iterator[Runtime]:
    with Runtime(STURDY) as running:
        yield running


def telling(**options: Any) -> Service:
    with dspex.context(lm=saying({"story": "Once."})):
        return Service({"tell": dspex.Predict(Tell)}, **options)


def failing(error: BaseException) -> Service:
    def program(topic: str) -> str:
        raise error

    return Service({"tell": program})


def test_every_input_that_does_not_fit_is_named_before_anything_is_asked() -> None:
    model = saying({"story": "Once."})
    with dspex.context(lm=model):
        service = Service({"tell": dspex.Predict(Tell)})

    reply = ask(service, {"topik": "rain", "lines": "3", "mood": "cross"})

    assert (reply.status, reply.error["type"]) == (422, "invalid_inputs")
    by_field = {fault["field"]: fault for fault in reply.error["fields"]}
    assert set(by_field) == {"topic", "topik", "lines", "mood"}
    assert by_field["topic"]["problem"] == "it is missing"
    assert "did you mean 'topic'" in by_field["topik"]["problem"]
    assert by_field["lines"]["expected"] == "int"
    assert model.history == []


def test_inputs_that_fit_are_given_as_their_types() -> None:
    read = Contract.of("tell", dspex.Predict(Tell)).read(
        {"topic": "rain", "lines": 3, "mood": "sad"}
    )

    assert read == {"topic": "rain", "lines": 3, "mood": Mood.SAD}


def test_a_constraint_of_an_input_is_held() -> None:
    with pytest.raises(Refused, match="'lines': Input should be greater"):
        Contract.of("tell", dspex.Predict(Tell)).read({"topic": "rain", "lines": 0})


def test_a_functions_inputs_are_checked_by_its_annotations() -> None:
    def double(number: int, *, times: int = 2) -> int:
        return number * times

    contract = Contract.of("double", double)

    assert contract.read({"number": 4}) == {"number": 4}
    with pytest.raises(Refused, match=r"'number': .*integer"):
        contract.read({"number": "four"})


def test_what_is_no_object_by_name_comes_back_as_output() -> None:
    reply = ask(Service({"tell": lambda topic: topic * 2}), {"topic": "rain"})

    assert reply.json == {"output": "rainrain"}


@pytest.mark.parametrize("body", [b"", b"[1]", b'{"a": NaN}', b"[" * 100_000, b"\xff"])
def test_a_body_that_is_no_json_object_is_refused(body: bytes) -> None:
    reply = ask(telling(), data=body, headers={"Content-Type": "application/json"})

    assert (reply.status, reply.error["type"]) == (400, "invalid_json")


def test_a_body_of_another_kind_is_refused() -> None:
    # What a form of a stranger's page can send without asking.
    reply = ask(telling(), data=b'{"topic": 1}', headers={"Content-Type": "text/plain"})

    assert (reply.status, reply.error["type"]) == (415, "unsupported_media_type")


def test_a_body_that_is_too_long_is_refused() -> None:
    reply = ask(telling(max_body=100), {"topic": "x" * 200, "lines": 1})

    assert (reply.status, reply.error["type"]) == (413, "body_too_large")


@pytest.mark.parametrize("given", ["soon", "0", "-1", "nan", "inf"])
def test_a_time_that_is_none_is_refused(given: str) -> None:
    reply = ask(telling(), {}, headers={"Dspex-Timeout": given})

    assert (reply.status, reply.error["type"]) == (400, "invalid_header")


@pytest.mark.parametrize(
    ("timeout", "mend"),
    [(60.0, "Allow up to 60 s"), (0.05, "start the service with a longer timeout")],
)
def test_a_request_whose_time_is_over_is_given_up_with_504(
    timeout: float, mend: str
) -> None:
    gate = Gate()
    service = Service({"tell": gate}, timeout=timeout)

    reply = ask(service, {"x": 1}, headers={"Dspex-Timeout": "0.05"})
    gate.opened.set()

    assert (reply.status, reply.error["type"]) == (504, "timeout")
    assert mend in reply.error["message"]


def test_a_page_that_is_not_there_is_told_in_json_without_being_repeated() -> None:
    reply = ask(telling(), {}, path="/<script>")

    assert (reply.status, reply.error["type"]) == (404, "not_found")
    assert "script" not in reply.text


def test_a_method_that_is_not_there_is_told_with_those_that_are() -> None:
    async def use(client: Client) -> None:
        reply = await client.get("/tell")

        assert (reply.status, reply.error["type"]) == (405, "method_not_allowed")
        assert reply.headers["Allow"] == "POST"

    serve(telling(), use)


def test_a_crash_of_the_program_is_500_with_its_class_and_no_traceback() -> None:
    reply = ask(failing(ZeroDivisionError("by \x1b[31mnothing")), {"topic": "x"})

    assert (reply.status, reply.error["type"]) == (500, "program_failed")
    assert reply.error["error_class"] == "ZeroDivisionError"
    assert "\\x1b[31mnothing" in reply.error["message"]
    assert "Traceback" not in reply.text
    assert ".py" not in reply.text


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, RecursionError])
def test_what_ends_processes_ends_one_request(kind: type[BaseException]) -> None:
    def program(*, good: bool) -> str:
        if good:
            return "well"
        raise kind

    async def use(client: Client) -> None:
        assert (await client.post("/tell", {"good": False})).status == 500
        assert (await client.post("/tell", {"good": True})).json == {"output": "well"}

    serve(Service({"tell": program}), use)


@pytest.mark.parametrize(
    ("make", "status", "kind"),
    [
        (lambda: errors.CircuitOpenError("down", retry_in=3.2), 503, "provider_down"),
        (lambda: errors.LMServerError("oh"), 503, "provider_down"),
        (lambda: errors.LMConnectionError("oh"), 503, "provider_down"),
        (lambda: errors.QueueFullError("full"), 503, "busy"),
        (lambda: errors.LMRateLimitError("no", retry_after=7.0), 429, "rate_limited"),
        (lambda: errors.LMTimeoutError("late"), 504, "timeout"),
        (lambda: errors.WorkTimeoutError("late"), 504, "timeout"),
        (lambda: errors.LMResponseError("what"), 502, "unreadable_answer"),
        (lambda: errors.LMAuthError("no"), 502, "provider_refused"),
        (lambda: errors.BudgetExceededError("out"), 503, "budget_exceeded"),
        (lambda: errors.ContextWindowExceededError("long"), 422, "too_long"),
        (lambda: errors.RuntimeClosedError("gone"), 503, "unavailable"),
        (lambda: ValueError("oh"), 500, "program_failed"),
    ],
)
def test_an_error_has_its_status_and_its_word(
    make: Callable[[], Exception], status: int, kind: str
) -> None:
    refusal = refusal_of(make())

    assert (refusal.status, refusal.type) == (status, kind)
    assert refusal.message


def test_a_wait_is_told_in_whole_seconds() -> None:
    reply = ask(failing(errors.CircuitOpenError("down", retry_in=3.2)), {"topic": "x"})

    assert reply.status == 503
    assert reply.headers["Retry-After"] == "4"
    assert reply.error["retry_after"] == 4


def test_an_answer_that_cannot_be_read_is_502_without_what_the_model_wrote() -> None:
    error = errors.AdapterParseError("ChatAdapter", Tell, "the secret plan")

    reply = ask(failing(error), {"topic": "x"})

    assert (reply.status, reply.error["type"]) == (502, "unreadable_answer")
    assert "'story'" in reply.error["message"]
    assert "secret" not in reply.text


def test_a_token_is_wanted_and_compared_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOOR_TOKEN", "sesame-seed")
    service = telling(token="$DOOR_TOKEN")
    service.add_routes([web.get("/healthz", _well)])
    service.add_routes([web.get("/metrics", _well)], needs_token=True)

    async def use(client: Client) -> None:
        inputs = {"topic": "rain", "lines": 1}
        right = {"Authorization": "Bearer sesame-seed"}
        wrong = {"Authorization": "Bearer sesame"}

        assert (await client.post("/tell", inputs)).status == 401
        refused = await client.post("/tell", inputs, headers=wrong)
        assert refused.status == 401
        assert refused.headers["WWW-Authenticate"] == "Bearer"
        assert "sesame" not in refused.text
        assert (await client.post("/tell", inputs, headers=right)).status == 200
        assert (await client.get("/healthz")).status == 200
        assert (await client.get("/metrics")).status == 401
        assert (await client.get("/metrics", headers=right)).status == 200

    serve(service, use)


async def _well(_request: web.Request) -> web.Response:
    return web.Response(text="well")


def test_a_token_that_is_not_set_is_refused_at_once() -> None:
    with pytest.raises(ConfigurationError, match="'NO_SUCH_TOKEN' is not set"):
        telling(token="$NO_SUCH_TOKEN")


@pytest.mark.parametrize(
    ("host", "passes"),
    [
        ("127.0.0.1:8000", True),
        ("[::1]:8000", True),
        ("localhost", True),
        ("capital.example:443", True),
        ("evil.example", False),
        ("CAPITAL.example", True),
        (None, True),
        ("127.0.0.1.evil.example", False),
        ("", False),
    ],
)
def test_a_service_answers_to_its_own_names_only(
    host: str | None, *, passes: bool
) -> None:
    door = Doorkeeper(hosts={"Capital.example"})

    refused = nullcontext() if passes else pytest.raises(Refused, match="header Host")
    with refused:
        door.check_host(host)


def test_an_answer_has_its_id_and_what_it_took() -> None:
    reply = ask(
        telling(), {"topic": "rain", "lines": 1}, headers={"X-Request-Id": "mine-7"}
    )

    assert reply.headers["X-Request-Id"] == "mine-7"
    assert '"calls":1' in reply.headers["Dspex-Usage"]
    assert reply.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("bad", ["", "two words", "x" * 129, "<b>"])
def test_an_id_that_is_none_is_not_repeated(bad: str) -> None:
    reply = ask(telling(), {"topic": "rain", "lines": 1}, headers={"X-Request-Id": bad})

    assert reply.headers["X-Request-Id"] not in {"", bad}


@pytest.mark.parametrize("name", ["max_in_flight", "timeout", "max_body"])
def test_a_number_that_is_not_above_zero_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match=name):
        telling(**{name: 0})


def test_a_key_in_the_text_of_a_crash_is_taken_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-not-for-anybody")

    reply = ask(failing(ValueError("bad: sk-not-for-anybody")), {"topic": "x"})

    assert reply.error["message"] == "the program raised ValueError: bad: ***"


def test_a_service_can_be_mounted_into_another_application() -> None:
    outer = web.Application()
    outer.add_subapp("/models/", telling().app())

    async def main() -> None:
        async with TestServer(outer) as server, ClientSession() as session:
            client = Client(session, f"http://{server.host}:{server.port}/models")
            reply = await client.post("/tell", {"topic": "rain", "lines": 1})

            assert reply.json == {"story": "Once."}

    asyncio.run(main())


@given(
    body=st.binary(max_size=200)
    | st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=8,
    ).map(lambda value: json.dumps(value).encode())
)
def test_no_body_is_anything_but_read_or_refused(body: bytes) -> None:
    try:
        TELL.read(read_object(body))
    except JsonError:
        pass
    except Refused as error:
        assert error.refusal.status == 422  # noqa: PT017 - it may as well be read


@given(
    headers=st.dictionaries(
        st.sampled_from(["Dspex-Timeout", "X-Request-Id", "Accept"]), st.text()
    ),
    most=st.floats(min_value=0.1, max_value=1e6),
)
def test_no_header_leads_beyond_what_the_service_allows(
    headers: dict[str, str], most: float
) -> None:
    try:
        wish = Wish.of(headers, {}, most=most)
    except Refused:
        return

    assert 0 < wish.timeout <= most
    assert 1 <= len(wish.id) <= 128
    assert wish.id.isascii()
    assert wish.id.isprintable()


@pytest.mark.parametrize(
    ("status", "kind", "is_told"),
    [
        *((503, "provider_down", True), (429, "rate_limited", True)),
        *((504, "timeout", True), (502, "wrong_answer", True)),
        *((503, "busy", False), (503, "draining", False)),
        *((422, "wrong_inputs", False), (500, "failed", False)),
    ],
)
def test_what_a_service_itself_chooses_is_no_failure_of_others(
    status: int, kind: str, is_told: bool
) -> None:
    refusal = Refusal(status=status, type=kind, message="no")

    assert refusal.is_of_others is is_told
