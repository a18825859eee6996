"""What budgets count and compare: exact amounts, caps, and what is said of them.

Pure values and functions. `dspex.client.budget` keeps the running sums.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, Self, assert_never

from dspex.core.errors import BudgetExceededError, ConfigurationError

Limit = Literal["calls", "tokens", "dollars"]
"""What a budget can cap."""

PER_DOLLAR: Final = 10**12
"""Money is counted in whole units of this fraction of a dollar, so that sums are exact:
ten times 10 cents fit into a dollar, and what is given back leaves nothing behind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """What requests have cost, or may cost."""

    calls: int = 0
    """Requests, retries included; answers from the cache are none."""
    tokens: int = 0
    """Tokens sent and received."""
    dollars: float = 0.0
    """US dollars. It is a lower bound while `unpriced` is not 0."""
    assumed: int = 0
    """Requests that count with their worst case, as no bill came for them: they timed
    out or were broken off, and the provider may have charged them."""
    unpriced: int = 0
    """Requests whose price is not known; they count as no money."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What may still be spent. `None` stands for no cap."""

    calls: int | None
    """Requests."""
    tokens: int | None
    """Tokens."""
    dollars: float | None
    """US dollars."""


@dataclass(frozen=True, slots=True)
class Amount:
    """Calls, tokens and money of one request or of many, in whole units."""

    calls: int = 0
    """Requests."""
    tokens: int = 0
    """Tokens."""
    money: int = 0
    """Parts of a dollar, `PER_DOLLAR` of them in each."""

    def __add__(self, other: Amount) -> Amount:
        """Add each of the three."""
        return Amount(
            self.calls + other.calls,
            self.tokens + other.tokens,
            self.money + other.money,
        )

    def __sub__(self, other: Amount) -> Amount:
        """Take away each of the three."""
        return Amount(
            self.calls - other.calls,
            self.tokens - other.tokens,
            self.money - other.money,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """The caps of a budget in whole units; `None` for none."""

    calls: int | None
    """Requests."""
    tokens: int | None
    """Tokens."""
    money: int | None
    """Parts of a dollar."""

    @classmethod
    def checked(
        cls, *, calls: int | None, tokens: int | None, dollars: float | None
    ) -> Self:
        """Take a user's figures.

        Raises:
            ConfigurationError: A cap is negative, or no number of its kind.
        """
        _check_cap("calls", calls, int)
        _check_cap("tokens", tokens, int)
        _check_cap("dollars", dollars, (int, float))
        money = None if dollars is None else money_of(dollars)
        return cls(calls=calls, tokens=tokens, money=money)

    def first_broken(self, amount: Amount) -> Limit | None:
        """Say which cap `amount` is above, if any."""
        if self.calls is not None and amount.calls > self.calls:
            return "calls"
        if self.tokens is not None and amount.tokens > self.tokens:
            return "tokens"
        if self.money is not None and amount.money > self.money:
            return "dollars"
        return None

    def left(self, taken: Amount) -> Room:
        """Say what remains beside `taken`; 0 where it is above the cap."""
        money = _left(self.money, taken.money)
        return Room(
            calls=_left(self.calls, taken.calls),
            tokens=_left(self.tokens, taken.tokens),
            dollars=None if money is None else dollars_of(money),
        )


def money_of(dollars: float) -> int:
    """Turn dollars into whole units, to the nearest."""
    return round(dollars * PER_DOLLAR)


def dollars_of(money: int) -> float:
    """Turn whole units into dollars."""
    return money / PER_DOLLAR


def described(caps: Caps, spent: Amount, *, unpriced: int, under_way: int) -> str:
    """Show a budget on one line, for a person."""
    unknown = f" + {unpriced} unpriced" if unpriced else ""
    parts = [
        _of(spent.money, caps.money, _shown_money) + unknown,
        f"{_of(spent.calls, caps.calls, str)} calls",
        f"{_of(spent.tokens, caps.tokens, str)} tokens",
    ]
    if under_way:
        parts.append(f"{under_way} under way")
    return ", ".join(parts)


def no_price(name: str) -> BudgetExceededError:
    """Refuse a request of unknown price, for a budget that caps money."""
    return BudgetExceededError(
        f"the budget {name!r} caps dollars and the price of this model is not known, "
        "so nothing was sent; a cap on money needs a price. Give it with "
        "Config(prices={model: Price(...)}), or cap calls or tokens instead.",
        budget=name,
        limit="dollars",
    )


def exceeded(
    name: str, limit: Limit, caps: Caps, spent: Amount, asked: Amount
) -> BudgetExceededError:
    """Refuse a request for which what is spent leaves no room."""
    shorter = "Ask for a shorter answer with max_tokens=, or pass"
    match limit:
        case "calls":
            has_spent = _of(spent.calls, caps.calls, str)
            wants, mend = "1", "Pass"
        case "tokens":
            has_spent = _of(spent.tokens, caps.tokens, str)
            wants, mend = f"up to {asked.tokens}", shorter
        case "dollars":
            has_spent = _of(spent.money, caps.money, _shown_money)
            wants, mend = f"up to {_shown_money(asked.money)}", shorter
        case _:
            assert_never(limit)
    return BudgetExceededError(
        f"the budget {name!r} has spent {has_spent} {limit}, and the next request may "
        f"take {wants}, so it was not sent. {mend} a higher {limit}= to Budget().",
        budget=name,
        limit=limit,
    )


def _check_cap(
    key: Limit, cap: float | None, kinds: type[int] | tuple[type[int], type[float]]
) -> None:
    if cap is None:
        return
    is_number = isinstance(cap, kinds) and not isinstance(cap, bool)
    if not is_number or not 0 <= cap < math.inf:
        wanted = "a whole number" if kinds is int else "a number"
        raise ConfigurationError(
            f"Budget({key}={cap!r}) makes no sense; a cap is {wanted} from 0 on. Pass "
            "one, or leave it out for no cap."
        )


def _left(cap: int | None, taken: int) -> int | None:
    return None if cap is None else max(0, cap - taken)


def _shown_money(money: int) -> str:
    return f"${dollars_of(money):.4f}"


def _of(spent: int, cap: int | None, shown: Callable[[int], str]) -> str:
    return shown(spent) if cap is None else f"{shown(spent)} of {shown(cap)}"
