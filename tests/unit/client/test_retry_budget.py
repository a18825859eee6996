from collections.abc import Callable

import pytest

from dspex.client.retry_budget import RetryBudget, RetryBudgetPolicy
from dspex.core.errors import ConfigurationError


def test_a_quiet_client_has_ten_retries_a_minute() -> None:
    budget = RetryBudget()

    granted = 0
    while budget.may_retry(0.0):
        budget.retried(0.0)
        granted += 1

    assert granted == 10


def test_a_busy_client_may_retry_one_in_five() -> None:
    budget = RetryBudget()
    for _ in range(1000):
        budget.called(0.0)

    granted = 0
    while budget.may_retry(30.0):
        budget.retried(30.0)
        granted += 1

    assert granted == 200


def test_a_minute_later_nothing_of_it_counts() -> None:
    budget = RetryBudget(RetryBudgetPolicy(share=0.5, floor=1))
    budget.retried(0.5)

    assert not budget.may_retry(60.9)
    assert budget.may_retry(61.0)


@pytest.mark.parametrize(
    "make",
    [
        lambda: RetryBudgetPolicy(share=-0.1),
        lambda: RetryBudgetPolicy(share=1.1),
        lambda: RetryBudgetPolicy(share=float("nan")),
        lambda: RetryBudgetPolicy(floor=-1),
    ],
)
def test_a_budget_that_makes_no_sense_is_refused(
    make: Callable[[], RetryBudgetPolicy],
) -> None:
    with pytest.raises(ConfigurationError, match="retry budget"):
        make()
