import contextvars
from collections.abc import Callable
from typing import Any

import pytest

from dspex.client.budget import (
    Budget,
    Granted,
    Held,
    Room,
    Spending,
    active_budgets,
    reserve_all,
)
from dspex.core.errors import BudgetExceededError, ConfigurationError
from dspex.core.lm import Usage

TEN = Usage(prompt_tokens=6, completion_tokens=4)


def settle(budget: Budget, request_id: str) -> None:
    budget.settle(request_id, usage=TEN, dollars=None)


def test_reserved_request_keeps_its_room_until_it_is_settled() -> None:
    budget = Budget(tokens=100)

    first = budget.reserve("a", tokens=60, dollars=None)
    second = budget.reserve("b", tokens=60, dollars=None)
    budget.settle("a", usage=TEN, dollars=None)
    third = budget.reserve("b", tokens=60, dollars=None)

    assert first == Granted()
    assert second == Held("budget", "tokens")
    assert third == Granted()
    assert budget.left == Room(calls=None, tokens=30, dollars=None)


def test_request_for_which_nothing_is_left_is_refused() -> None:
    budget = Budget(calls=1, name="one call")
    budget.reserve("a", tokens=5, dollars=None)
    budget.settle("a", usage=TEN, dollars=None)

    with pytest.raises(BudgetExceededError) as refused:
        budget.reserve("b", tokens=5, dollars=None)

    assert (refused.value.budget, refused.value.limit) == ("one call", "calls")
    assert "'one call' has spent 1 of 1 calls" in str(refused.value)
    assert "Pass a higher calls= to Budget()" in str(refused.value)


@pytest.mark.parametrize(
    ("budget", "limit", "asked"),
    [
        (Budget(tokens=10), "tokens", "up to 11"),
        (Budget(dollars=0.01), "dollars", "up to $0.0110"),
    ],
)
def test_request_larger_than_the_whole_budget_is_refused_at_once(
    budget: Budget, limit: str, asked: str
) -> None:
    with pytest.raises(BudgetExceededError) as refused:
        budget.reserve("a", tokens=11, dollars=0.011)

    assert refused.value.limit == limit
    assert asked in str(refused.value)
    assert "max_tokens=" in str(refused.value)
    assert budget.reserved == Spending()


def test_caps_are_met_exactly_by_sums_of_cents() -> None:
    budget = Budget(dollars=0.3)

    for number in range(3):
        assert budget.reserve(str(number), tokens=1, dollars=0.1) == Granted()
        budget.settle(str(number), usage=TEN, dollars=0.1)

    assert budget.left.dollars == 0.0
    with pytest.raises(BudgetExceededError):
        budget.reserve("more", tokens=0, dollars=1e-12)


def test_money_cap_refuses_a_model_of_unknown_price_before_the_first_call() -> None:
    budget = Budget(dollars=5.0)

    with pytest.raises(BudgetExceededError, match="price of this model is not known"):
        budget.reserve("a", tokens=1, dollars=None)

    assert budget.spent == Spending()


def test_unknown_price_without_a_money_cap_is_counted_as_unpriced() -> None:
    budget = Budget()

    budget.reserve("a", tokens=50, dollars=None)
    reserved = budget.reserved
    budget.settle("a", usage=TEN, dollars=None)

    assert reserved == Spending(calls=1, tokens=50, unpriced=1)
    assert budget.spent == Spending(calls=1, tokens=10, unpriced=1)


def test_bill_that_is_not_known_counts_with_its_worst_case() -> None:
    budget = Budget(dollars=1.0)
    budget.reserve("a", tokens=50, dollars=0.4)

    budget.settle("a", usage=None, dollars=None)

    assert budget.spent == Spending(calls=1, tokens=50, dollars=0.4, assumed=1)


def test_bill_without_a_price_is_taken_at_the_reserved_price() -> None:
    budget = Budget(dollars=1.0)
    budget.reserve("a", tokens=50, dollars=0.4)

    budget.settle("a", usage=TEN, dollars=None)

    assert budget.spent == Spending(calls=1, tokens=10, dollars=0.4)


def test_bill_above_its_reservation_is_shown_and_stops_later_calls() -> None:
    budget = Budget(tokens=20)
    budget.reserve("a", tokens=15, dollars=None)

    budget.settle("a", usage=Usage(prompt_tokens=30), dollars=None)

    assert budget.spent.tokens == 30
    assert budget.left.tokens == 0
    with pytest.raises(BudgetExceededError, match="has spent 30 of 20 tokens"):
        budget.reserve("b", tokens=0, dollars=None)


def test_request_that_was_never_written_costs_nothing() -> None:
    budget = Budget(calls=1)
    budget.reserve("a", tokens=1, dollars=None)

    budget.release("a")

    assert budget.spent == Spending()
    assert budget.reserve("b", tokens=1, dollars=None) == Granted()


def test_reserved_request_is_granted_again_when_nothing_is_left() -> None:
    budget = Budget(calls=1)

    answers = [budget.reserve("a", tokens=1, dollars=None) for _ in range(2)]

    assert answers == [Granted(), Granted()]
    assert budget.reserved.calls == 1


def test_price_that_is_known_with_the_bill_is_counted() -> None:
    budget = Budget()
    budget.reserve("a", tokens=9, dollars=None)

    budget.settle("a", usage=TEN, dollars=0.2)

    assert budget.spent == Spending(calls=1, tokens=10, dollars=0.2)


@pytest.mark.parametrize("dollars", [0.1, 0.07, 2.01, 4.35, 1e-7])
def test_amounts_that_floats_cannot_hold_fit_their_own_cap(dollars: float) -> None:
    budget = Budget(dollars=dollars * 3)

    for number in range(3):
        budget.reserve(str(number), tokens=1, dollars=dollars)
        budget.settle(str(number), usage=TEN, dollars=dollars)

    assert budget.left.dollars == 0.0
    assert budget.spent.dollars == pytest.approx(dollars * 3)


def test_saying_a_thing_twice_counts_once() -> None:
    budget = Budget(calls=2)

    for _ in range(2):
        assert budget.reserve("a", tokens=9, dollars=0.1) == Granted()
    reserved = budget.reserved
    for _ in range(2):
        budget.settle("a", usage=TEN, dollars=0.2)
        budget.release("a")

    assert reserved == Spending(calls=1, tokens=9, dollars=0.1)
    assert budget.spent == Spending(calls=1, tokens=10, dollars=0.2)


@pytest.mark.parametrize("end", [Budget.release, settle])
def test_whoever_is_held_is_told_once_when_room_may_be_there(
    end: Callable[[Budget, str], None],
) -> None:
    budget, told = Budget(calls=2), list[str]()
    for name in ("a", "b"):
        budget.reserve(name, tokens=1, dollars=None)

    def listener() -> None:
        told.append("look again")

    for name in ("c", "d"):
        budget.reserve(name, tokens=1, dollars=None, when_freed=listener)
    end(budget, "unknown")
    before = list(told)
    end(budget, "a")
    end(budget, "b")

    assert before == []
    assert told == ["look again"]


def test_listener_may_ask_again_at_once() -> None:
    budget, answers = Budget(calls=2), list[object]()
    budget.reserve("a", tokens=1, dollars=None)
    budget.reserve("b", tokens=1, dollars=None)

    budget.reserve(
        "c",
        tokens=1,
        dollars=None,
        when_freed=lambda: answers.append(budget.reserve("c", tokens=1, dollars=None)),
    )
    budget.release("a")

    assert answers == [Granted()]


def test_request_is_reserved_in_all_its_budgets_or_in_none() -> None:
    wide, narrow = Budget(calls=9), Budget(calls=1, name="narrow")
    reserve_all((wide, narrow), "a", tokens=1, dollars=None)

    held = reserve_all((wide, narrow), "b", tokens=1, dollars=None)

    assert held == Held("narrow", "calls")
    assert (wide.reserved.calls, narrow.reserved.calls) == (1, 1)


def test_request_without_a_budget_is_granted() -> None:
    assert reserve_all((), "a", tokens=1, dollars=None) == Granted()


def test_refusal_of_one_budget_wins_over_another_that_is_held() -> None:
    held, refusing = Budget(calls=1), Budget(calls=0, name="nothing")
    held.reserve("a", tokens=1, dollars=None)

    with pytest.raises(BudgetExceededError) as refused:
        reserve_all((held, refusing), "b", tokens=1, dollars=None)

    assert refused.value.budget == "nothing"


def test_held_request_wakes_nobody_who_waits_for_another_budget() -> None:
    wide, narrow, told = Budget(tokens=10), Budget(calls=1), list[str]()
    narrow.reserve("a", tokens=1, dollars=None)
    wide.reserve("b", tokens=5, dollars=None)
    wide.reserve("large", tokens=6, dollars=None, when_freed=lambda: told.append("!"))

    held = reserve_all((wide, narrow), "small", tokens=1, dollars=None)

    assert isinstance(held, Held)
    assert told == []


def test_budgets_around_a_call_all_apply_and_each_once() -> None:
    outer, inner, own = Budget(name="outer"), Budget(name="inner"), Budget(name="own")

    with outer, inner, outer:
        inside = active_budgets(own, inner, None)
        in_copy = contextvars.copy_context()

    assert inside == (outer, inner, own)
    assert active_budgets() == ()
    assert in_copy.run(active_budgets) == (outer, inner)


def test_leaving_an_inner_block_keeps_the_outer_one_of_the_same_budget() -> None:
    budget, other = Budget(), Budget()

    with budget, other:
        with budget:
            pass
        inside = active_budgets()

    assert inside == (budget, other)


def test_budget_shows_what_it_holds_on_one_line() -> None:
    budget = Budget(dollars=2, calls=100, name="tuning")
    budget.reserve("a", tokens=50, dollars=0.5)
    budget.settle("a", usage=TEN, dollars=0.25)
    budget.reserve("b", tokens=50, dollars=0.5)
    free = Budget()
    free.reserve("a", tokens=1, dollars=None)
    free.settle("a", usage=TEN, dollars=None)

    assert repr(budget) == (
        "Budget('tuning', $0.2500 of $2.0000, 1 of 100 calls, 10 tokens, 1 under way)"
    )
    assert repr(free) == "Budget('budget', $0.0000 + 1 unpriced, 1 calls, 10 tokens)"


@pytest.mark.parametrize(
    ("caps", "shown"),
    [
        ({"calls": -1}, "calls=-1"),
        ({"tokens": 1.5}, "tokens=1.5"),
        ({"dollars": float("nan")}, "dollars=nan"),
        ({"dollars": float("inf")}, "dollars=inf"),
        ({"calls": True}, "calls=True"),
        ({"dollars": "2"}, "dollars='2'"),
    ],
)
def test_cap_that_makes_no_sense_is_refused(caps: dict[str, Any], shown: str) -> None:
    with pytest.raises(ConfigurationError, match="makes no sense") as refused:
        Budget(**caps)

    assert shown in str(refused.value)
