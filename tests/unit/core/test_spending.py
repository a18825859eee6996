"""What a piece of work has had from models, added up."""

from __future__ import annotations

import contextvars
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dspex.core.lm import Reply, Usage
from dspex.core.spending import Spending, answered, count_from_here, used


def reply(tokens: int = 3, cost: float | None = 0.5, **fields: Any) -> Reply:
    usage = Usage(prompt_tokens=tokens, completion_tokens=1)
    return Reply(texts=("a",), usage=usage, cost=cost, **fields)


replies = st.lists(
    st.builds(
        reply,
        st.integers(0, 9),
        st.sampled_from([0.0, 0.25, 0.5, None]),
        cached=st.booleans(),
    ),
    max_size=6,
)


@given(replies)
def test_the_sum_is_that_of_what_was_paid(given_replies: list[Reply]) -> None:
    spending = Spending()
    for number, each in enumerate(given_replies):
        spending.add(each, f"call {number}")
    paid = [each for each in given_replies if not each.cached]

    total = spending.total()

    assert total.usage == sum((each.usage for each in paid), Usage())
    assert total.calls == len(given_replies)
    assert total.cached == len(given_replies) - len(paid)
    assert total.answers == tuple(f"call {n}" for n in range(len(given_replies)))
    costs = [each.cost for each in paid]
    if not given_replies or None in costs:
        assert total.cost is None
    else:
        assert total.cost == sum(cost for cost in costs if cost is not None)


def test_an_answer_that_is_told_of_twice_is_one() -> None:
    spending, one, own = Spending(), reply(), reply()

    spending.add(one, "call")
    spending.add_unless_asked(one)
    spending.add_unless_asked(own)

    assert spending.total().calls == 2


def test_an_answer_is_counted_by_all_who_count_around_it_and_nobody_else() -> None:
    outer, inner, other = Spending(), Spending(), Spending()

    def within() -> None:
        count_from_here(inner)
        answered(reply(), "call")
        used(reply())

    def around() -> None:
        count_from_here(outer)
        contextvars.copy_context().run(within)

    contextvars.copy_context().run(around)
    contextvars.copy_context().run(count_from_here, other)

    assert [each.total().calls for each in (outer, inner, other)] == [2, 2, 0]
