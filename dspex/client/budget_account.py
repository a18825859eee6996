"""The books of one budget: what is reserved, what is spent, what may go.

Whoever owns an account lets one thread at a time touch it; `Budget` does so by a lock.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dspex.client.budget_amounts import (
    Amount,
    Caps,
    Limit,
    Room,
    Spending,
    described,
    dollars_of,
    exceeded,
    money_of,
    no_price,
)
from dspex.core.lm import Usage

Listener = Callable[[], None]
"""Told that asking again makes sense."""


@dataclass(frozen=True, slots=True)
class Granted:
    """The request may be sent. Its reservation ends with `settle` or `release`."""


@dataclass(frozen=True, slots=True)
class Held:
    """There is room, but requests under way have reserved it: ask again later."""

    budget: str
    """The name of the budget that has no room now."""
    limit: Limit
    """What it has no room for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a request takes at worst."""

    amount: Amount
    """Its call, tokens and money."""
    priced: bool
    """Whether its price is known; its money is 0 when not."""

    @classmethod
    def of(cls, *, tokens: int, dollars: float | None) -> Asked:
        """One request of so many tokens; its price is not known for `None`."""
        money = money_of(dollars or 0.0)
        return cls(amount=Amount(1, tokens, money), priced=dollars is not None)


class Account:
    """Sums of one budget.

    Invariant: reserved and spent together are within the caps, unless a bill was above
    its reservation.
    """

    def __init__(self, name: str, caps: Caps) -> None:
        self._name = name
        self.caps = caps
        """What may be spent."""
        self._open: dict[str, Asked] = {}
        self._reserved = Amount()
        self._spent = Amount()
        self._assumed = 0
        self._unpriced = 0
        self.waiting: set[Listener] = set()
        """Who wants to be told, once, when a reservation has ended."""

    def __str__(self) -> str:
        return described(
            self.caps,
            self._spent,
            unpriced=self._unpriced,
            under_way=self._reserved.calls,
        )

    @property
    def spent(self) -> Spending:
        """What ended requests have cost."""
        return Spending(
            calls=self._spent.calls,
            tokens=self._spent.tokens,
            dollars=dollars_of(self._spent.money),
            assumed=self._assumed,
            unpriced=self._unpriced,
        )

    @property
    def reserved(self) -> Spending:
        """What requests under way may cost at worst."""
        return Spending(
            calls=self._reserved.calls,
            tokens=self._reserved.tokens,
            dollars=dollars_of(self._reserved.money),
            unpriced=sum(not asked.priced for asked in self._open.values()),
        )

    def reserved_by(self, request_id: str) -> Spending | None:
        """What one request under way may cost."""
        asked = self._open.get(request_id)
        if asked is None:
            return None
        amount = asked.amount
        return Spending(
            calls=amount.calls,
            tokens=amount.tokens,
            dollars=dollars_of(amount.money),
            unpriced=int(not asked.priced),
        )

    @property
    def left(self) -> Room:
        """What is neither spent nor reserved."""
        return self.caps.left(self._spent + self._reserved)

    def count(self, spending: Spending) -> None:
        """Add what was spent elsewhere."""
        money = money_of(spending.dollars)
        self._spent += Amount(spending.calls, spending.tokens, money)
        self._assumed += spending.assumed
        self._unpriced += spending.unpriced

    def look(self, request_id: str, asked: Asked) -> Granted | Held:
        """Say whether there is room, without taking it.

        Raises:
            BudgetExceededError: There is none and will be none, or no price is known.
        """
        if request_id in self._open:
            return Granted()
        if self.caps.money is not None and not asked.priced:
            raise no_price(self._name)
        refused = self.caps.first_broken(self._spent + asked.amount)
        if refused is not None:
            raise exceeded(self._name, refused, self.caps, self._spent, asked.amount)
        taken = self._spent + self._reserved
        held = self.caps.first_broken(taken + asked.amount)
        return Granted() if held is None else Held(self._name, held)

    def take(self, request_id: str, asked: Asked) -> None:
        """Reserve what `look` has granted. A reserved id is left as it is."""
        if request_id not in self._open:
            self._open[request_id] = asked
            self._reserved += asked.amount

    def release(self, request_id: str) -> frozenset[Listener]:
        """Give a reservation back; say who is to be told of it now."""
        asked = self._close(request_id)
        return self._hand_out_waiting() if asked else frozenset()

    def settle(
        self, request_id: str, *, usage: Usage | None, dollars: float | None
    ) -> frozenset[Listener]:
        """Count what a request cost; say who is to be told of it now."""
        asked = self._close(request_id)
        if asked is None:
            return frozenset()
        if usage is None:
            self._assumed += 1
            self._spent += asked.amount
        else:
            # A bill without a price is taken at the price that was reserved.
            money = asked.amount.money if dollars is None else money_of(dollars)
            self._spent += Amount(1, usage.total_tokens, money)
        if dollars is None and not asked.priced:
            self._unpriced += 1
        return self._hand_out_waiting()

    def _close(self, request_id: str) -> Asked | None:
        asked = self._open.pop(request_id, None)
        if asked is not None:
            self._reserved -= asked.amount
        return asked

    def _hand_out_waiting(self) -> frozenset[Listener]:
        waiting = frozenset(self.waiting)
        self.waiting.clear()
        return waiting
