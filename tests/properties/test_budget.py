"""A budget is never exceeded, whatever the order of things, threads included."""

import contextlib
import threading
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from dspex.client.budget import Budget, Granted, Held, reserve_all
from dspex.client.estimate import text_tokens
from dspex.core.errors import BudgetExceededError
from dspex.core.lm import Usage


@dataclass(frozen=True)
class Step:
    """One thing that happens to one of a few requests."""

    kind: str
    name: str
    tokens: int
    cents: int
    share: float


STEPS = st.builds(
    Step,
    kind=st.sampled_from(["reserve", "reserve", "settle", "lost", "release"]),
    name=st.sampled_from("abcdefgh"),
    tokens=st.integers(0, 60),
    cents=st.integers(0, 60),
    share=st.floats(0, 1),
)


def carry_out(step: Step, budget: Budget, worst: dict[str, Step]) -> None:
    """Do a step. A bill is at most its reservation, as `worst` remembers it."""
    match step.kind:
        case "reserve":
            try:
                answer = budget.reserve(
                    step.name, tokens=step.tokens, dollars=step.cents / 100
                )
            except BudgetExceededError:
                return
            if isinstance(answer, Granted):
                worst.setdefault(step.name, step)
        case "settle":
            reserved = worst.pop(step.name, step)
            usage = Usage(prompt_tokens=int(reserved.tokens * step.share))
            cost = reserved.cents / 100 * step.share
            budget.settle(step.name, usage=usage, dollars=cost)
        case "lost":
            worst.pop(step.name, None)
            budget.settle(step.name, usage=None, dollars=None)
        case "release":
            worst.pop(step.name, None)
            budget.release(step.name)


@given(st.lists(STEPS, max_size=60))
def test_caps_hold_for_spent_and_reserved_together(steps: list[Step]) -> None:
    budget = Budget(calls=5, tokens=150, dollars=1.5)
    worst: dict[str, Step] = {}

    for step in steps:
        carry_out(step, budget, worst)

        spent, reserved = budget.spent, budget.reserved
        assert spent.calls + reserved.calls <= 5
        assert spent.tokens + reserved.tokens <= 150
        assert spent.dollars + reserved.dollars <= 1.5 + 1e-9
        assert reserved.calls == len(worst)
        assert reserved.tokens == sum(step.tokens for step in worst.values())


@given(st.lists(STEPS, max_size=60), STEPS)
def test_held_is_said_only_when_the_end_of_what_is_under_way_may_help(
    steps: list[Step], last: Step
) -> None:
    budget = Budget(calls=5, tokens=150, dollars=1.5)
    worst: dict[str, Step] = {}
    for step in steps:
        carry_out(step, budget, worst)

    try:
        answer = budget.reserve("new", tokens=last.tokens, dollars=last.cents / 100)
    except BudgetExceededError:
        return
    for name in worst:
        budget.release(name)
    again = budget.reserve("new", tokens=last.tokens, dollars=last.cents / 100)

    assert again == Granted()
    assert not (isinstance(answer, Held) and not worst)


@given(st.lists(STEPS, max_size=40), st.sets(st.sampled_from("abcdefgh")))
def test_what_is_given_back_leaves_nothing_behind(
    steps: list[Step], settled: set[str]
) -> None:
    budget = Budget(dollars=1.5)
    worst: dict[str, Step] = {}
    for step in steps:
        carry_out(step, budget, worst)

    for name in worst:
        budget.release(name)

    spent, left = budget.spent, budget.left
    assert budget.reserved.calls == 0
    assert left.dollars is not None
    assert abs(spent.dollars + left.dollars - 1.5) < 1e-9


@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=30),
    st.integers(1, 20),
    st.integers(1, 20),
)
def test_budgets_of_one_call_move_together(
    sizes: list[int], wide_cap: int, narrow_cap: int
) -> None:
    wide, narrow = Budget(tokens=wide_cap), Budget(tokens=narrow_cap)

    for number, size in enumerate(sizes):
        with contextlib.suppress(BudgetExceededError):
            reserve_all((wide, narrow), str(number), tokens=size, dollars=None)
        assert wide.reserved == narrow.reserved


def test_threads_that_share_a_budget_never_exceed_it_and_use_it_up() -> None:
    budget = Budget(calls=400, tokens=4000)
    threads, sent = 8, []
    start = threading.Barrier(threads)

    def client(number: int) -> None:
        start.wait(timeout=10)
        freed = threading.Event()
        for request in range(200):
            name = f"{number}-{request}"
            while True:
                freed.clear()
                try:
                    answer = budget.reserve(
                        name, tokens=40, dollars=None, when_freed=freed.set
                    )
                except BudgetExceededError:
                    return
                if isinstance(answer, Granted):
                    break
                assert freed.wait(timeout=30), "nobody told of the room"
            sent.append(name)
            assert budget.left.calls is not None
            budget.settle(name, usage=Usage(prompt_tokens=10), dollars=None)

    crew = [threading.Thread(target=client, args=(n,)) for n in range(threads)]
    for thread in crew:
        thread.start()
    for thread in crew:
        thread.join(timeout=60)

    spent = budget.spent
    assert spent.calls == len(sent) == len(set(sent))
    assert 3960 < spent.tokens <= 4000
    assert budget.reserved.calls == 0


@given(st.text(max_size=300), st.text(max_size=300))
def test_more_text_never_takes_fewer_tokens(first: str, second: str) -> None:
    assert text_tokens(first + second) >= max(text_tokens(first), text_tokens(second))


@given(st.text(max_size=300))
def test_no_text_takes_more_tokens_than_it_has_bytes(text: str) -> None:
    assert text_tokens(text) <= len(text.encode())
