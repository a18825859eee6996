"""Providers, and whoever stands in their place, that mean no good (S3, S9-S12, S22)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from typing import Any

import pytest

import dspex
from dspex.client.client import Client
from dspex.client.gate import GateState
from dspex.core import errors
from dspex.testing import (
    WRONG_KEY,
    Drip,
    EndlessBody,
    FakeProvider,
    Fault,
    GzipBomb,
    RawBody,
    Redirect,
    Status,
)
from supervisors.testing import ManualClock
from tests.actors.lab import PATIENT, ask, client_name, echo

KEY = "CANARY0123456789"


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider(answer=echo) as provider:
        yield provider


@pytest.fixture
def runtime() -> Iterator[dspex.Runtime]:
    with dspex.Runtime(dspex.Config(persist=False)) as runtime:
        yield runtime


@pytest.fixture
def still() -> Iterator[dspex.Runtime]:
    """One whose time stands still: a slow machine's refusals are no late ones."""
    with dspex.Runtime(dspex.Config(persist=False), clock=ManualClock()) as runtime:
        yield runtime


def lm_at(provider: FakeProvider, **options: Any) -> dspex.LM:
    options = {"num_retries": 0, "api_key": KEY, **options}
    return dspex.LM("openai/m", api_base=provider.base_url, **options)


def lives_on(runtime: dspex.Runtime, provider: FakeProvider, lm: dspex.LM) -> bool:
    """Whether the next call is answered, and no part was restarted."""
    provider.behave()
    return lm("next") == ["re: next"] and runtime.restarts == 0


def test_geminis_key_is_in_no_address_and_no_log(
    provider: FakeProvider, runtime: dspex.Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    lm = dspex.LM("gemini/m", api_base=f"{provider.root_url}/v1beta", api_key=KEY)

    lm("hi")

    (billed,) = provider.bill
    assert billed.headers["x-goog-api-key"] == KEY
    assert KEY not in billed.path
    assert KEY not in caplog.text


@pytest.mark.parametrize(
    "address",
    [
        *("file:///etc/passwd", "gopher://127.0.0.1/", "https://user:word@a.example"),
        *("http://169.254.169.254/v1", "http://[fd00:ec2::254]/v1"),
        *("http://0xa9fea9fe/v1", "http://a.example/v1", "https://a.example/v1?key=1"),
    ],
)
def test_a_key_is_taken_to_no_address_that_is_no_models_api(address: str) -> None:
    with pytest.raises(errors.ConfigurationError) as caught:
        dspex.LM("openai/m", api_base=address, api_key=KEY)

    assert KEY not in str(caught.value)


def test_a_redirect_takes_the_key_nowhere(
    provider: FakeProvider, runtime: dspex.Runtime
) -> None:
    with FakeProvider() as elsewhere:
        provider.misbehave(Redirect(f"{elsewhere.base_url}/chat/completions"))
        with pytest.raises(errors.LMError):
            lm_at(provider)("hi")

        assert elsewhere.bill == ()
    assert lives_on(runtime, provider, lm_at(provider))


@pytest.mark.parametrize("fault", [GzipBomb(), EndlessBody()], ids=repr)
def test_a_body_without_end_is_an_error_and_no_part_of_the_tree_dies(
    fault: Fault, provider: FakeProvider, runtime: dspex.Runtime
) -> None:
    provider.misbehave(fault)

    with pytest.raises(errors.LMResponseError, match="too large"):
        lm_at(provider)("hi")

    assert lives_on(runtime, provider, lm_at(provider))


def test_a_deadline_holds_against_a_body_that_drips(
    provider: FakeProvider, runtime: dspex.Runtime
) -> None:
    provider.misbehave(Drip(interval=0.05))

    with pytest.raises(errors.LMTimeoutError, match="deadline"):
        lm_at(provider, deadline=0.5)("hi")

    provider.wait_for_idle(PATIENT)
    assert [billed.fate for billed in provider.bill] == ["gone"]


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"choices": ' + b"9" * 5_000 + b"}",
        b'{"choices": NaN}',
        b'{"choices": [], "x": 1e999}',
        b'{"choices": 1, "choices": 2}',
        b'{"choices": [{"message": {"content": "\\ud800"}}]}',
        b"\xff\xfe{}",
        b"null",
        b"",
    ],
    ids=lambda body: ascii(body[:20]),
)
@pytest.mark.parametrize("status", [200, 400])
def test_json_that_breaks_readers_is_an_error_and_no_part_of_the_tree_dies(
    body: bytes, status: int, provider: FakeProvider, runtime: dspex.Runtime
) -> None:
    provider.misbehave(RawBody(body, status=status))

    with pytest.raises(errors.LMError) as caught:
        lm_at(provider)("hi")

    assert len(str(caught.value)) < 2_000
    assert lives_on(runtime, provider, lm_at(provider))


def test_ten_thousand_calls_with_a_wrong_key_cost_a_few_requests(
    provider: FakeProvider, still: dspex.Runtime
) -> None:
    provider.misbehave(WRONG_KEY)
    lm = lm_at(provider, num_retries=5, cache=False)

    async def ask_all() -> list[Any]:
        calls = (lm.acall(str(number)) for number in range(10_000))
        return list(await asyncio.gather(*calls, return_exceptions=True))

    outcomes = asyncio.run(ask_all())

    assert {type(outcome) for outcome in outcomes} == {errors.LMAuthError}
    assert all("wrong API key" in str(outcome) for outcome in outcomes)
    assert len(provider.bill) <= 4
    view = Client(still.handle(client_name(lm)), lambda: None).view()
    assert [lane.gate.state for lane in view.lanes] == [GateState.CLOSED]
    assert view.open_calls == view.in_flight == 0


def test_one_forbidden_prompt_ends_no_call_but_its_own(
    provider: FakeProvider, runtime: dspex.Runtime
) -> None:
    # Most of the calls wait when the refusal comes.
    lm = lm_at(provider, max_in_flight=4)
    flagged = Status(403, message="your input was flagged")
    provider.misbehave(flagged, on=lambda billed: "bad" in str(billed.body))
    questions = [*map(str, range(40)), "bad", *map(str, range(40, 80))]
    lm("the key is good")

    outcomes = ask(lm, questions).outcomes()

    refused = [one for one in outcomes if isinstance(one, BaseException)]
    assert [type(one) for one in refused] == [errors.LMAuthError]
    assert len(outcomes) - len(refused) == 80


def test_a_key_that_is_forbidden_everything_costs_a_few_requests(
    provider: FakeProvider, still: dspex.Runtime
) -> None:
    provider.misbehave(Status(403, message="no such project"))

    outcomes = ask(lm_at(provider), map(str, range(80))).outcomes()

    assert {type(outcome) for outcome in outcomes} == {errors.LMAuthError}
    assert len(provider.bill) <= 4
