"""Prices: which is found for a model, and what a usage costs by it."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dspex.client.price_table import PRICES
from dspex.client.prices import FREE, LongPrompt, Price, cost_of, price_of
from dspex.core.errors import ConfigurationError
from dspex.core.lm import Usage

TABLE = [
    pytest.param(provider, model, id=f"{provider}/{model}")
    for provider, models in PRICES.items()
    for model in models
]

dollars = st.floats(0, 100, allow_nan=False)
flat_prices = st.builds(
    Price,
    input=dollars,
    output=dollars,
    cached_input=st.none() | dollars,
    cache_write=st.none() | dollars,
)
counts = st.integers(0, 1_000_000)


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    cached, written, plain = draw(counts), draw(counts), draw(counts)
    return Usage(
        prompt_tokens=cached + written + plain,
        completion_tokens=draw(counts),
        cached_tokens=cached,
        cache_write_tokens=written,
    )


@pytest.mark.parametrize(
    ("provider", "model", "figures"),
    [
        ("openai", "gpt-4o-mini", (0.15, 0.075, 0.6)),
        ("openai", "gpt-4o-mini-2024-07-18", (0.15, 0.075, 0.6)),
        ("openai", "gpt-4o-2024-08-06", (2.5, 1.25, 10.0)),
        ("openai", "gpt-4o-2024-05-13", (5.0, None, 15.0)),
        ("anthropic", "claude-haiku-4-5-20251001", (1.0, 0.1, 5.0)),
        ("anthropic", "claude-sonnet-4-20250514", (3.0, 0.3, 15.0)),
        ("anthropic", "claude-3-7-sonnet-latest", (3.0, 0.3, 15.0)),
        ("gemini", "gemini-2.0-flash-001", (0.1, 0.025, 0.4)),
    ],
)
def test_price_is_found_with_and_without_a_date(
    provider: str, model: str, figures: tuple[float, float | None, float]
) -> None:
    price = price_of(provider, model)

    assert price is not None
    assert (price.input, price.cached_input, price.output) == figures


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "gpt-99"),
        ("openai", "ft:gpt-4o-mini-2024-07-18:me::x"),
        ("openai", "gpt-4o-minimal"),
        ("openai", ""),
        ("azure", "gpt-4o-mini"),
        ("nobody", "gpt-4o-mini"),
    ],
)
def test_price_that_is_not_known_is_none(provider: str, model: str) -> None:
    assert price_of(provider, model) is None


@pytest.mark.parametrize("provider", ["local", "ollama", "llamacpp", "vllm"])
def test_models_on_ones_own_machines_cost_nothing(provider: str) -> None:
    usage = Usage(prompt_tokens=1_000_000, completion_tokens=1_000_000)

    price = price_of(provider, "any/model")

    assert price is FREE
    assert cost_of(usage, price) == 0


@pytest.mark.parametrize(
    ("provider", "model"),
    [("openai", "gpt-4o-mini"), ("local", "mine"), ("nobody", "a/b")],
)
def test_own_price_wins_over_all_others(provider: str, model: str) -> None:
    mine = Price(input=7, output=9)

    found = price_of(provider, model, {f"{provider}/{model}": mine})

    assert found is mine


def test_own_price_holds_for_dated_names_too_unless_they_have_one() -> None:
    mine, dated = Price(input=7, output=9), Price(input=8, output=9)
    prices = {"openai/x": mine, "openai/x-2030-01-01": dated}

    assert price_of("openai", "x-2031-01-01", prices) is mine
    assert price_of("openai", "x-2030-01-01", prices) is dated


@pytest.mark.parametrize("figure", [-0.1, math.nan, math.inf])
@pytest.mark.parametrize("name", ["input", "output", "cached_input", "cache_write"])
def test_figure_that_is_no_price_is_refused_by_name(name: str, figure: float) -> None:
    price = Price(input=1.0, output=1.0)

    with pytest.raises(ConfigurationError, match=name):
        replace(price, **{name: figure})  # type: ignore[arg-type]  # a field by name


def test_each_kind_of_token_has_its_price() -> None:
    price = Price(input=1.0, output=10.0, cached_input=0.1, cache_write=2.0)
    usage = Usage(
        prompt_tokens=111, completion_tokens=5, cached_tokens=10, cache_write_tokens=1
    )

    assert cost_of(usage, price) == pytest.approx(
        (100 * 1.0 + 10 * 0.1 + 1 * 2.0 + 5 * 10.0) / 1e6
    )


def test_tokens_without_a_price_of_their_own_cost_as_those_sent() -> None:
    usage = Usage(prompt_tokens=30, cached_tokens=10, cache_write_tokens=10)

    assert cost_of(usage, Price(input=1.0, output=0.0)) == pytest.approx(30 / 1e6)


def test_long_prompt_makes_the_whole_request_dearer() -> None:
    long = LongPrompt(above=100, price=Price(input=2.0, output=20.0))
    price = Price(input=1.0, output=10.0, long_prompt=long)

    at_the_limit = cost_of(Usage(prompt_tokens=100, completion_tokens=1), price)
    above_it = cost_of(Usage(prompt_tokens=101, completion_tokens=1), price)

    assert at_the_limit == pytest.approx(110 / 1e6)
    assert above_it == pytest.approx(222 / 1e6)


@given(usage=usages(), price=flat_prices)
def test_cost_is_never_negative(usage: Usage, price: Price) -> None:
    assert cost_of(usage, price) >= 0


@given(read=counts, written=counts, sent=counts, price=flat_prices)
def test_usage_that_does_not_add_up_costs_nothing_negative(
    read: int, written: int, sent: int, price: Price
) -> None:
    usage = Usage(prompt_tokens=sent, cached_tokens=read, cache_write_tokens=written)

    assert cost_of(usage, price) >= 0


@given(first=usages(), second=usages(), price=flat_prices)
def test_cost_of_a_sum_is_the_sum_of_the_costs(
    first: Usage, second: Usage, price: Price
) -> None:
    together = cost_of(first + second, price)

    assert together == pytest.approx(cost_of(first, price) + cost_of(second, price))


@given(model=st.text(max_size=20))
def test_any_name_has_a_price_or_none(model: str) -> None:
    assert price_of("openai", model) is None or model.startswith(("gpt", "o", "text"))


@pytest.mark.parametrize(("provider", "model"), TABLE)
def test_table_is_in_order(provider: str, model: str) -> None:
    price = PRICES[provider][model]

    tiers = [price] + ([price.long_prompt.price] if price.long_prompt else [])
    for tier in tiers:
        assert tier.input > 0
        assert tier.output >= tier.input or "embedding" in model
        assert tier.cached_input is None or 0 < tier.cached_input < tier.input
        assert tier.cache_write is None or tier.cache_write > tier.input
    assert price_of(provider, model) is price
