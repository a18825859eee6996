"""The page of metrics, read by prometheus_client's own parser."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

import dspex
from dspex import telemetry
from dspex.client.gate import GateState
from dspex.core import events as names
from dspex.core.errors import ConfigurationError, LMError
from dspex.core.lm import Request
from dspex.runtime.runtime import current_runtime
from dspex.telemetry import prometheus
from dspex.testing import FakeProvider
from supervisors import Event
from tests.actors.lab import PATIENT, ask, client_name, kill, wait_for_open_calls


@pytest.fixture(autouse=True)
def provider() -> Iterator[FakeProvider]:
    with (
        FakeProvider(answer=lambda _messages: "Lima") as running,
        dspex.Runtime(dspex.Config(persist=False)),
    ):
        # A page that another test has asked for goes on counting.
        prometheus.uninstrument()
        prometheus.instrument()
        yield running
        prometheus.uninstrument()


def model(provider: FakeProvider, **options: Any) -> dspex.LM:
    return dspex.LM(
        "openai/small", api_base=provider.base_url, api_key="sk-canary-1", **options
    )


def samples() -> dict[tuple[str, ...], float]:
    """The samples by name and the values of their labels, sorted."""
    page = prometheus.metrics_page().decode()
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def test_requests_tokens_and_cache_are_counted(provider: FakeProvider) -> None:
    lm = model(provider)

    lm("a question")
    lm("a question")

    found = samples()
    whom = ("openai", "small")
    assert found["dspex_requests_total", "answered", *whom] == 1
    assert found["dspex_requests_total", "cached", *whom] == 1
    assert found["dspex_request_duration_seconds_count", *whom] == 1
    assert found["dspex_tokens_total", "input", *whom] > 0
    assert found["dspex_requests_in_flight", *whom] == 0
    assert found["dspex_cache_lookups_total", "hit"] == 1
    assert ("dspex_mailbox_messages", "ClientActor") in found


def test_a_breaker_shows_its_state(provider: FakeProvider) -> None:
    lm = model(provider)
    lm("a question")

    lm.client().set_circuit("small", GateState.OPEN)

    # The client answers in order, so it has told when it shows itself.
    lm.client().standing(30.0)
    assert samples()["dspex_breaker_state", "openai", "small"] == 2


def test_each_state_of_a_breaker_has_its_number() -> None:
    figures = prometheus._process.figures()
    facts = {"provider": "openai", "model": "m", "label": "openai/m"}
    shown = []

    for name in (names.BREAKER_OPEN, names.BREAKER_HALF_OPEN, names.BREAKER_CLOSE):
        figures(Event(name=name, metadata=facts))
        shown.append(samples()["dspex_breaker_state", "m", "openai"])

    assert shown == [2, 1, 0]


def test_what_holds_calls_is_shown_as_long_as_it_does(provider: FakeProvider) -> None:
    lm = model(provider, max_in_flight=1)
    provider.pause()
    first = ask(lm, ["1"])
    provider.wait_for_in_flight(1, PATIENT)
    second = ask(lm, ["2"])
    wait_for_open_calls(current_runtime(), lm, 2)

    during = held(samples())
    provider.resume()
    for each in (first, second):
        each.outcomes()
    lm.client().standing(30.0)

    assert sum(during.values()) == 2
    assert len(during) == 2
    assert held(samples()) == {}


def held(page: dict[tuple[str, ...], float]) -> dict[tuple[str, ...], float]:
    return {name: one for name, one in page.items() if name[0] == "dspex_calls_held"}


def test_runs_and_examples_are_counted() -> None:
    rows = [dspex.Example(n=n).with_inputs("n") for n in range(3)]

    dspex.Evaluate(devset=rows, metric=lambda _row, _got: 1.0)(lambda n: n)

    found = samples()
    assert found["dspex_examples_total", "scored"] == 3
    assert found["dspex_runs",] == 0


def test_neither_keys_nor_prompts_are_on_the_page(provider: FakeProvider) -> None:
    model(provider)("a question canary")

    assert b"canary" not in prometheus.metrics_page()


def test_models_beyond_the_bound_share_their_figures() -> None:
    figures = prometheus._process.figures()

    for number in range(200):
        figures._whom("openai", f"model-{number}")

    assert figures._whom("openai", "model-5") == ("openai", "model-5")
    assert figures._whom("openai", "model-150") == ("openai", "other")


def test_counting_that_begins_amid_a_request_counts_nothing_below_zero(
    provider: FakeProvider,
) -> None:
    prometheus.uninstrument()
    # Somebody else listens, so that the end of the request is told.
    telemetry.attach("other", ("dspex",), lambda _event: None)
    provider.pause()
    asking = ask(model(provider), ["q"])
    provider.wait_for_in_flight(1, PATIENT)

    prometheus.instrument()
    provider.resume()
    asking.outcomes()
    telemetry.detach("other")

    found = samples()
    assert found["dspex_requests_total", "answered", "openai", "small"] == 1
    assert found.get(("dspex_requests_in_flight", "openai", "small"), 0.0) == 0


def test_counting_that_begins_amid_a_run_counts_nothing_below_zero() -> None:
    prometheus.uninstrument()
    rows = [dspex.Example(n=n).with_inputs("n") for n in range(2)]

    def begins(n: int) -> int:
        prometheus.instrument()
        return n

    dspex.Evaluate(devset=rows, metric=lambda *_: 1.0, persist=False)(begins)

    assert samples()["dspex_runs",] == 0


def test_what_is_under_way_is_shown(provider: FakeProvider) -> None:
    rows = [dspex.Example(n=1).with_inputs("n")]
    lm = model(provider)

    def looks(n: int) -> int:
        provider.pause()
        asking = ask(lm, ["q"])
        provider.wait_for_in_flight(1, PATIENT)
        pages.append(samples())
        provider.resume()
        asking.outcomes()
        return n

    pages: list[dict[tuple[str, ...], float]] = []
    dspex.Evaluate(devset=rows, metric=lambda *_: 1.0, persist=False)(looks)

    [page] = pages
    assert page["dspex_requests_in_flight", "openai", "small"] == 1
    assert page["dspex_runs",] == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
def test_a_forked_child_shows_nothing_of_its_parents_as_under_way(
    provider: FakeProvider,
) -> None:
    lm = model(provider)
    lm("before")
    provider.pause()
    asking = ask(lm, ["q"])
    provider.wait_for_in_flight(1, PATIENT)

    child = os.fork()
    if not child:
        found = samples()
        under_way = found.get(("dspex_requests_in_flight", "openai", "small"), 0.0)
        answered = found["dspex_requests_total", "answered", "openai", "small"]
        os._exit(0 if (under_way, answered) == (0, 1) else 1)
    _, status = os.waitpid(child, 0)
    shown = samples()["dspex_requests_in_flight", "openai", "small"]
    provider.resume()
    asking.outcomes()

    assert (status, shown) == (0, 1)


def test_counters_go_on_when_the_client_was_killed(provider: FakeProvider) -> None:
    lm = model(provider)
    lm("before")

    kill(current_runtime(), client_name(lm))
    lm("after")

    found = samples()
    assert found["dspex_requests_total", "answered", "openai", "small"] == 2
    assert found["dspex_restarts_total",] >= 1


def test_a_failed_request_is_counted_with_its_seconds() -> None:
    with FakeProvider(api_key="another") as refusing, pytest.raises(LMError):
        model(refusing)("q")

    found = samples()
    assert found["dspex_requests_total", "failed", "openai", "small"] == 1
    assert found["dspex_request_duration_seconds_count", "openai", "small"] == 1
    assert found["dspex_requests_in_flight", "openai", "small"] == 0


def test_dollars_are_those_of_the_price_table(provider: FakeProvider) -> None:
    prices = {"openai/small": dspex.Price(input=1e6, output=2e6)}
    with dspex.Runtime(dspex.Config(persist=False, prices=prices)):
        lm = model(provider)
        lm("a question of some words")
        usage = lm.history[-1]["usage"]

    found = samples()
    tokens = [
        found["dspex_tokens_total", *sorted((kind, "openai", "small"))]
        for kind in ("input", "output")
    ]
    assert tokens == [usage["prompt_tokens"], usage["completion_tokens"]]
    assert tokens[0] != tokens[1]
    assert found["dspex_cost_dollars_total", "openai", "small"] == pytest.approx(
        tokens[0] + 2 * tokens[1]
    )


def test_a_models_name_cannot_forge_a_line_of_the_page() -> None:
    evil = 'm"} 1\ndspex_forged{x="\\'
    figures = prometheus._process.figures()
    request = Request(model=evil, messages=())
    facts = {"provider": "openai", "request": request, "span": "s"}

    figures(Event(name=names.LM_REQUEST_START, metadata=facts))

    assert samples()["dspex_requests_in_flight", evil, "openai"] == 1
    assert b"\ndspex_forged" not in prometheus.metrics_page()


def test_called_again_it_is_the_same_registry_and_counts_once(
    provider: FakeProvider,
) -> None:
    assert prometheus.instrument() is prometheus.instrument()

    model(provider)("q")

    found = samples()
    assert found["dspex_requests_total", "answered", "openai", "small"] == 1


def test_a_missing_extra_is_told_with_the_line_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)

    with pytest.raises(ConfigurationError, match=r"pip install 'dspex\[prometheus\]'"):
        prometheus.metrics_page()
