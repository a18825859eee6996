"""The prices of well-known models, as their providers' public pages gave them.

US dollars per million tokens, for calls that are answered at once (no batch, no
priority lane), text only. The figures are those of:

- OpenAI: developers.openai.com/api/docs/pricing, and older models as that page last
  listed them;
- Anthropic: platform.claude.com/docs/en/about-claude/pricing, with writes to the cache
  that lasts five minutes;
- Google: ai.google.dev/gemini-api/docs/pricing, the paid tier, without the storage of
  explicit caches.

A model whose price was a passing offer, or on which sources did not agree, is left out:
no price is better than a wrong one. Prices change; `PRICES_AS_OF` is the day on which
the table was last compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date

from dspex.client.price import LongPrompt, Price

PRICES_AS_OF = date(2026, 10, 24)
"""The day the table was last compared with what providers publish."""


def _flat(input_: float, cached: float | None, output: float) -> Price:
    return Price(input=input_, cached_input=cached, output=output)


def _claude(
    input_: float, output: float, *, cached: float | None = None, write: float = 1.25
) -> Price:
    """Anthropic's rule: a tenth for what is read from the cache, a quarter on top."""
    return Price(
        input=input_,
        output=output,
        cached_input=input_ / 10 if cached is None else cached,
        cache_write=input_ * write,
    )


def _long(price: Price, *, above: int, then: Price) -> Price:
    return replace(price, long_prompt=LongPrompt(above=above, price=then))


_OPENAI: Mapping[str, Price] = {
    "gpt-5.6-sol": _long(
        replace(_flat(5.0, 0.5, 30.0), cache_write=6.25),
        above=272_000,
        then=replace(_flat(10.0, 1.0, 45.0), cache_write=12.5),
    ),
    "gpt-5.5": _long(_flat(5.0, 0.5, 30.0), above=272_000, then=_flat(10.0, 1.0, 45.0)),
    "gpt-5.4": _long(_flat(2.5, 0.25, 15.0), above=272_000, then=_flat(5.0, 0.5, 22.5)),
    "gpt-5.4-mini": _flat(0.75, 0.075, 4.5),
    "gpt-5.4-nano": _flat(0.2, 0.02, 1.25),
    "gpt-5.2": _flat(1.75, 0.175, 14.0),
    "gpt-5.1": _flat(1.25, 0.125, 10.0),
    "gpt-5": _flat(1.25, 0.125, 10.0),
    "gpt-5-mini": _flat(0.25, 0.025, 2.0),
    "gpt-5-nano": _flat(0.05, 0.005, 0.4),
    "gpt-4.1": _flat(2.0, 0.5, 8.0),
    "gpt-4.1-mini": _flat(0.4, 0.1, 1.6),
    "gpt-4.1-nano": _flat(0.1, 0.025, 0.4),
    "gpt-4o": _flat(2.5, 1.25, 10.0),
    "gpt-4o-2024-05-13": _flat(5.0, None, 15.0),
    "gpt-4o-mini": _flat(0.15, 0.075, 0.6),
    "gpt-4-turbo": _flat(10.0, None, 30.0),
    "gpt-3.5-turbo": _flat(0.5, None, 1.5),
    "o1": _flat(15.0, 7.5, 60.0),
    "o3": _flat(2.0, 0.5, 8.0),
    "o3-mini": _flat(1.1, 0.55, 4.4),
    "o4-mini": _flat(1.1, 0.275, 4.4),
    "text-embedding-3-small": _flat(0.02, None, 0.0),
    "text-embedding-3-large": _flat(0.13, None, 0.0),
    "text-embedding-ada-002": _flat(0.1, None, 0.0),
}

_ANTHROPIC: Mapping[str, Price] = {
    "claude-fable-5-1": _claude(10.0, 50.0, cached=0.25),
    "claude-fable-5": _claude(10.0, 50.0),
    "claude-opus-5-5": _claude(4.0, 20.0, cached=0.2),
    "claude-opus-5": _claude(5.0, 25.0),
    "claude-opus-4-8": _claude(5.0, 25.0),
    "claude-opus-4-7": _claude(5.0, 25.0),
    "claude-opus-4-6": _claude(5.0, 25.0),
    "claude-opus-4-5": _claude(5.0, 25.0),
    "claude-opus-4-1": _claude(15.0, 75.0),
    "claude-opus-4-0": _claude(15.0, 75.0),
    "claude-opus-4": _claude(15.0, 75.0),
    "claude-sonnet-5-5": _claude(2.0, 10.0, cached=0.1),
    "claude-sonnet-5": _claude(2.0, 10.0),
    "claude-sonnet-4-6": _claude(3.0, 15.0),
    "claude-sonnet-4-5": _claude(3.0, 15.0),
    "claude-sonnet-4-0": _claude(3.0, 15.0),
    "claude-sonnet-4": _claude(3.0, 15.0),
    "claude-3-7-sonnet": _claude(3.0, 15.0),
    "claude-haiku-5-5": _long(_claude(0.1, 0.5), above=100_000, then=_claude(0.5, 2.5)),
    "claude-haiku-4-5": _claude(1.0, 5.0),
    "claude-3-5-haiku": _claude(0.8, 4.0),
    "claude-3-haiku": _claude(0.25, 1.25, cached=0.03, write=1.2),
}

_GEMINI: Mapping[str, Price] = {
    "gemini-3.5-flash": _flat(1.5, 0.15, 9.0),
    "gemini-3.1-pro-preview": _long(
        _flat(2.0, 0.2, 12.0), above=200_000, then=_flat(4.0, 0.4, 18.0)
    ),
    "gemini-3.1-flash-lite": _flat(0.25, 0.025, 1.5),
    "gemini-3-flash-preview": _flat(0.5, 0.05, 3.0),
    "gemini-2.5-pro": _long(
        _flat(1.25, 0.125, 10.0), above=200_000, then=_flat(2.5, 0.25, 15.0)
    ),
    "gemini-2.5-flash": _flat(0.3, 0.03, 2.5),
    "gemini-2.5-flash-lite": _flat(0.1, 0.01, 0.4),
    "gemini-2.0-flash": _flat(0.1, 0.025, 0.4),
    "gemini-embedding-001": _flat(0.15, None, 0.0),
}

PRICES: Mapping[str, Mapping[str, Price]] = {
    "openai": _OPENAI,
    "anthropic": _ANTHROPIC,
    "gemini": _GEMINI,
}
"""The prices by provider and by the model's name without a date."""
