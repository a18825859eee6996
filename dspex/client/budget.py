"""Budgets: caps on requests, tokens and money that hold while calls run side by side.

Before each request its worst case is reserved, and after it what was billed takes the
reservation's place. So a cap holds whatever is under way at the same time, retries
included. A budget knows neither prices nor providers: its caller brings the figures.

It lives outside the tree of actors and is shared by all of them, so no restart of a
part forgets what was spent.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from types import TracebackType
from typing import Final, Self

from dspex.client.budget_account import Account, Asked, Granted, Held
from dspex.client.budget_amounts import Caps, Room, Spending
from dspex.core.lm import Usage

__all__ = [
    "Budget",
    "Granted",
    "Held",
    "Room",
    "Spending",
    "active_budgets",
    "reserve_all",
]

# It protects the account and the listeners of every budget. Clients of several branches
# reserve and settle from threads of their own. There is one for all budgets, because a
# request that counts in several is looked at and reserved in all of them in one step.
# Nothing foreign is called under it.
_lock: Final = threading.Lock()


class Budget:
    """A cap on what language-model calls may cost together.

    When to use it: around an optimisation, an evaluation or a service's user, whenever
    a bill must not pass a figure. Every request of the block counts, in threads and
    tasks that run in copies of its context too; budgets inside one another all apply.
    `LM(..., budget=budget)` counts one model's requests wherever they are made. When
    not: to slow requests down; limits per minute do that.

    The cap holds for what is reserved: a request's prompt by an estimate that errs on
    the high side, its answer by `max_tokens`. A call without `max_tokens` gets one of
    `defaults.ASSUMED_ANSWER` under a cap on tokens or dollars, since no cap holds for
    an answer of any length. Where a provider bills more all the same (a very large
    picture), the bill is counted as it came, and later calls are refused.

    Args:
        calls: Requests, retries included. Answers from the cache cost nothing.
        tokens: Tokens, sent and received.
        dollars: US dollars by the price table. A model whose price is not known is
            refused before its first request.
        name: Shown in errors.

    All caps may be left out; such a budget only counts.

    Example:
        >>> with Budget(dollars=2.0, name="tuning") as budget:
        ...     pass  # compile, evaluate, call
        >>> budget
        Budget('tuning', $0.0000 of $2.0000, 0 calls, 0 tokens)

    Raises:
        ConfigurationError: A cap is negative or no number.
    """

    def __init__(
        self,
        *,
        calls: int | None = None,
        tokens: int | None = None,
        dollars: float | None = None,
        name: str = "budget",
    ) -> None:
        self.name = name
        caps = Caps.checked(calls=calls, tokens=tokens, dollars=dollars)
        self._account = Account(name, caps)

    def __repr__(self) -> str:
        with _lock:
            return f"Budget({self.name!r}, {self._account})"

    def __enter__(self) -> Self:
        """Count the requests made in this context from now on."""
        _active.set((*_active.get(), self))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Leave the block. Requests still under way are settled all the same."""
        active = _active.get()
        if self not in active:
            # Left in another context than it was entered in, where it never counted.
            return
        innermost = len(active) - 1 - active[::-1].index(self)
        _active.set(active[:innermost] + active[innermost + 1 :])

    @property
    def bounds_answers(self) -> bool:
        """Whether its caps hold only when an answer has a longest length."""
        caps = self._account.caps
        return caps.tokens is not None or caps.money is not None

    @property
    def spent(self) -> Spending:
        """What ended requests have cost."""
        with _lock:
            return self._account.spent

    @property
    def reserved(self) -> Spending:
        """What requests under way may cost at worst."""
        with _lock:
            return self._account.reserved

    def reserved_by(self, request_id: str) -> Spending | None:
        """Return what a request under way may cost at worst; `None` for no such one."""
        with _lock:
            return self._account.reserved_by(request_id)

    @property
    def left(self) -> Room:
        """What is neither spent nor reserved; 0 where more than the cap was billed."""
        with _lock:
            return self._account.left

    def reserve(
        self,
        request_id: str,
        *,
        tokens: int,
        dollars: float | None,
        when_freed: Callable[[], None] | None = None,
    ) -> Granted | Held:
        """Ask for room for one request, immediately before it is sent.

        Whoever asks writes `request_id` down first: a reservation is given back by it
        only. Asking again for a reserved id changes nothing.

        Args:
            request_id: The id of this attempt, never used for another one.
            tokens: What it takes at worst, prompt and answer together.
            dollars: What that costs; `None` when the price is not known.
            when_freed: Called once, in the thread of whoever ended a request, when
                asking again after `Held` may have another answer. It must be quick,
                must not raise, and is told once however many of its requests are held.

        Returns:
            `Granted`; or `Held` when only requests under way stand in the way.

        Raises:
            BudgetExceededError: What is spent leaves no room for the request, even if
                all that is under way cost nothing; or the budget caps money and the
                price is not known.
        """
        return reserve_all(
            (self,), request_id, tokens=tokens, dollars=dollars, when_freed=when_freed
        )

    def settle(
        self, request_id: str, *, usage: Usage | None, dollars: float | None
    ) -> None:
        """Put what a request cost in the place of its reservation.

        An id without a reservation changes nothing, so settling twice counts once.

        Args:
            request_id: The id it was reserved with.
            usage: What the provider billed; nothing for an answer that is not billed,
                such as a 429. `None` when that is not known, as after a timeout or a
                broken connection: then the whole reservation counts as spent.
            dollars: What `usage` costs; `None` when the price is not known.
        """
        with _lock:
            waiting = self._account.settle(request_id, usage=usage, dollars=dollars)
        for tell in waiting:
            tell()

    def count(self, spending: Spending) -> None:
        """Count what was spent before it was there, such as by a process that ended.

        It counts even where it is above a cap; the next request is refused then.
        """
        with _lock:
            self._account.count(spending)

    def release(self, request_id: str) -> None:
        """Give back the reservation of a request that was never written.

        An id without a reservation changes nothing.
        """
        with _lock:
            waiting = self._account.release(request_id)
        for tell in waiting:
            tell()


_active: ContextVar[tuple[Budget, ...]] = ContextVar("dspex_budgets", default=())


def active_budgets(*more: Budget | None) -> tuple[Budget, ...]:
    """List the budgets of the blocks around here, outermost first, then `more`.

    Each stands once, so that a request counts once in it.
    """
    budgets = (*_active.get(), *(one for one in more if one is not None))
    return tuple(dict.fromkeys(budgets))


def reserve_all(
    budgets: Sequence[Budget],
    request_id: str,
    *,
    tokens: int,
    dollars: float | None,
    when_freed: Callable[[], None] | None = None,
) -> Granted | Held:
    """Ask several budgets for room, and keep it in all of them or in none.

    Args:
        budgets: Those of the call, as `active_budgets` lists them.
        request_id: See `Budget.reserve`, as for the others.
        tokens: What the request takes at worst.
        dollars: What that costs, if known.
        when_freed: Told when asking again makes sense.

    Raises:
        BudgetExceededError: One of them refused.
    """
    if not budgets:
        return Granted()
    asked = Asked.of(tokens=tokens, dollars=dollars)
    accounts = [budget._account for budget in budgets]  # noqa: SLF001 - this module's
    with _lock:
        answers = [account.look(request_id, asked) for account in accounts]
        for account, answer in zip(accounts, answers, strict=True):
            if isinstance(answer, Held):
                if when_freed is not None:
                    account.waiting.add(when_freed)
                return answer
        for account in accounts:
            account.take(request_id, asked)
    return Granted()
