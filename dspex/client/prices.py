"""Finding the price of a model.

The caller's own prices are looked up first, then the dated table of `price_table`.
Nothing is asked over a network, and a model that is not known costs no time to find out
about: its price is `None`, never a guess.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

from dspex.client.price import FREE, LongPrompt, Price, cost_of
from dspex.client.price_table import PRICES, PRICES_AS_OF

__all__ = ["FREE", "PRICES_AS_OF", "LongPrompt", "Price", "cost_of", "price_of"]

_SNAPSHOT = re.compile(r"(?:-\d{4}-\d{2}-\d{2}|[-@]\d{8}|-\d{3}|-latest)$")
_SELF_HOSTED = frozenset({"local", "llamacpp", "lm_studio", "ollama", "sglang", "vllm"})
_NO_PRICES: Mapping[str, Price] = MappingProxyType({})


def price_of(
    provider: str, model: str, prices: Mapping[str, Price] = _NO_PRICES
) -> Price | None:
    """Find out what a model's tokens cost.

    A dated name such as `gpt-4o-mini-2024-07-18` has the price of the name without the
    date, unless it has one of its own.

    Args:
        provider: The prefix of the model string, such as `openai`.
        model: The rest of it.
        prices: The caller's own, by whole model string; they win over the table.

    Returns:
        The price; `FREE` for a provider that is one's own machine; `None` when it is
        not known.

    Example:
        >>> price_of("openai", "gpt-4o-mini-2024-07-18").output
        0.6
        >>> price_of("openai", "gpt-99") is None
        True
        >>> mine = {"openai/gpt-99": Price(input=2, output=8)}
        >>> price_of("openai", "gpt-99-2031-01-01", mine).input
        2
    """
    names = _names(model)
    for name in names:
        if f"{provider}/{name}" in prices:
            return prices[f"{provider}/{name}"]
    if provider in _SELF_HOSTED:
        return FREE
    known = PRICES.get(provider, _NO_PRICES)
    return next((known[name] for name in names if name in known), None)


@lru_cache(maxsize=256)
def _names(model: str) -> tuple[str, str]:
    """The names under which a model may stand; asked for at every call."""
    return model, _SNAPSHOT.sub("", model)
