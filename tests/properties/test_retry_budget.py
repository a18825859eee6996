"""What holds for the retry budget whatever is called and when."""

from hypothesis import given
from hypothesis import strategies as st

from dspex.client.retry_budget import WINDOW, RetryBudget, RetryBudgetPolicy

steps = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.3, 1.0, 29.5, 59.9, 61.0]),
        st.sampled_from(["call", "retry"]),
    ),
    max_size=80,
)


@given(steps=steps, share=st.sampled_from([0.0, 0.2, 1.0]), floor=st.integers(0, 3))
def test_a_retry_is_granted_exactly_while_the_last_minute_has_room(
    steps: list[tuple[float, str]], share: float, floor: int
) -> None:
    budget = RetryBudget(RetryBudgetPolicy(share=share, floor=floor))
    now = 100.0
    calls: list[float] = []
    retries: list[float] = []

    for pause, kind in steps:
        now += pause
        if kind == "call":
            budget.called(now)
            calls.append(now)
            continue
        granted = budget.may_retry(now)
        room = max(floor, share * lately(calls, now))
        assert granted == (lately(retries, now) + 1 <= room)
        if granted:
            budget.retried(now)
            retries.append(now)


def lately(times: list[float], now: float) -> int:
    return sum(int(at) >= int(now) - WINDOW for at in times)
