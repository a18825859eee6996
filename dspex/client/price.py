"""What tokens cost, as a value, and what a request cost by it."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

from dspex.core.errors import ConfigurationError
from dspex.core.lm import Usage

_PER = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What a model's tokens cost, in US dollars per million. Checked when it is made.

    Raises:
        ConfigurationError: When a figure is negative or no number.
    """

    input: float
    """Tokens sent."""
    output: float
    """Tokens received, those of hidden reasoning included."""
    cached_input: float | None = None
    """Tokens sent that the provider reads from its cache; `None` for no discount."""
    cache_write: float | None = None
    """Tokens sent that the provider writes to its cache; `None` for no surcharge."""
    long_prompt: LongPrompt | None = None
    """What a request costs instead when its prompt is long, where that differs."""

    def __post_init__(self) -> None:
        """Check the figures."""
        for name in ("input", "output", "cached_input", "cache_write"):
            figure = getattr(self, name)
            if figure is not None and not (isfinite(figure) and figure >= 0):
                raise ConfigurationError(
                    f"a price has {name}={figure!r}; expected US dollars per million"
                    " tokens, at least 0. Correct it."
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class LongPrompt:
    """What a whole request costs from a certain length of its prompt on."""

    above: int
    """Sent tokens; a prompt that has more pays `price`."""
    price: Price
    """The price of every token of such a request."""


FREE = Price(input=0.0, output=0.0)
"""The price of a model on one's own machines."""


def cost_of(usage: Usage, price: Price) -> float:
    """Work out what one request cost.

    The usage of several requests added up gives the sum of their costs, except where a
    price has a `long_prompt`: that goes by the prompt of each request.

    Returns:
        US dollars, at least 0.

    Example:
        >>> price = Price(input=2.0, output=8.0, cached_input=0.5)
        >>> usage = Usage(prompt_tokens=1000, cached_tokens=400, completion_tokens=500)
        >>> cost_of(usage, price)
        0.0054
    """
    long = price.long_prompt
    if long is not None and usage.prompt_tokens > long.above:
        price = long.price
    read, write = price.cached_input, price.cache_write
    plain = usage.prompt_tokens - usage.cached_tokens - usage.cache_write_tokens
    dollars = (
        max(plain, 0) * price.input
        + usage.cached_tokens * (price.input if read is None else read)
        + usage.cache_write_tokens * (price.input if write is None else write)
        + usage.completion_tokens * price.output
    )
    return dollars / _PER
