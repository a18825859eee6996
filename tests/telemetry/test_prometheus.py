"""The page of metrics, read by prometheus_client's own parser."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

import dspex
from dspex.client.gate import GateState
from dspex.core.errors import ConfigurationError
from dspex.telemetry import prometheus
from dspex.testing import FakeProvider


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


def model(provider: FakeProvider) -> dspex.LM:
    return dspex.LM("openai/small", api_base=provider.base_url, api_key="sk-canary-1")


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


def test_a_missing_extra_is_told_with_the_line_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)

    with pytest.raises(ConfigurationError, match=r"pip install 'dspex\[prometheus\]'"):
        prometheus.metrics_page()
