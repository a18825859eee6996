"""Budgets under real calls: retries, waiting, restarts, several providers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

import dspex
from dspex.client.budget import Budget
from dspex.client.call import ATTEMPT, AttemptRecord
from dspex.client.price import Price
from dspex.core.errors import (
    BudgetExceededError,
    LMError,
    LMServerError,
    RuntimeClosedError,
)
from dspex.core.lm import Message
from dspex.testing import SERVER_ERROR, FakeProvider
from tests.actors.lab import (
    PATIENT,
    STURDY,
    Callers,
    Record,
    ask,
    assert_books_agree,
    client_name,
    echo,
    eventually,
    kill,
    wire_name,
)


@pytest.fixture
def runtime() -> Iterator[dspex.Runtime]:
    with dspex.Runtime(STURDY) as runtime:
        yield runtime


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider(answer=echo) as provider:
        yield provider


@pytest.fixture
def lm(provider: FakeProvider, runtime: dspex.Runtime) -> dspex.LM:
    return dspex.LM("openai/m", api_base=provider.base_url, max_tokens=20)


def refused(outcomes: list[object]) -> int:
    return sum(isinstance(outcome, BudgetExceededError) for outcome in outcomes)


@pytest.mark.usefixtures("runtime")
def test_retries_count_and_the_cap_ends_them(
    provider: FakeProvider,
) -> None:
    provider.misbehave(SERVER_ERROR)
    patient = dspex.LM(
        "openai/m", api_base=provider.base_url, num_retries=5, max_tokens=20
    )

    with Budget(calls=2) as budget, pytest.raises(BudgetExceededError) as ended:
        patient("hi")

    assert budget.spent.calls == len(provider.bill) == 2
    assert ended.value.attempts == 2
    assert ended.value.model == "openai/m"


def test_answers_from_the_cache_cost_nothing(lm: dspex.LM) -> None:
    with Budget(calls=1) as budget:
        for _ in range(3):
            assert lm("hi") == ["re: hi"]

    assert budget.spent.calls == 1


def test_calls_wait_for_room_that_others_hold(
    lm: dspex.LM, provider: FakeProvider
) -> None:
    # Each may take 20 tokens of answer, and takes less: with room for one at a time,
    # eight still fit.
    with Budget(tokens=100) as budget:
        callers = ask(lm.copy(max_tokens=50), map(str, range(8)))
        answers = callers.outcomes()

    assert answers == [f"re: {n}" for n in range(8)]
    assert budget.spent.calls == len(provider.bill) == 8
    assert budget.reserved.calls == 0


@pytest.mark.usefixtures("runtime")
def test_cap_holds_over_threads_and_two_providers() -> None:
    with ExitStack() as stack:
        providers = [
            stack.enter_context(FakeProvider(answer=echo, latency=0.001))
            for _ in range(2)
        ]
        models = [dspex.LM("openai/m", api_base=one.base_url) for one in providers]
        budget = stack.enter_context(Budget(calls=25))

        callers = [ask(lm, (f"{n}" for n in range(20))) for lm in models]
        outcomes = [one for each in callers for one in each.outcomes()]

        assert sum(len(one.bill) for one in providers) == 25
    assert refused(outcomes) == 15
    assert budget.spent.calls == 25
    assert budget.left.calls == 0


def test_money_cap_on_a_model_of_unknown_price_sends_nothing(
    lm: dspex.LM, provider: FakeProvider
) -> None:
    with Budget(dollars=1.0), pytest.raises(BudgetExceededError, match="not known"):
        lm("hi")

    assert provider.bill == ()


def test_money_is_counted_by_the_price_table(provider: FakeProvider) -> None:
    config = dspex.Config(
        persist=False, prices={"openai/m": Price(input=1.0, output=2.0)}
    )
    with dspex.Runtime(config) as runtime, Budget(dollars=1.0) as budget:
        noted: list[AttemptRecord] = []
        runtime.events.attach(
            lambda event: noted.append(event.metadata["record"]), ATTEMPT
        )
        lm = dspex.LM("openai/m", api_base=provider.base_url, max_tokens=20)
        reply = lm.complete([Message("user", "hi")])

    usage = reply.usage
    expected = (usage.prompt_tokens * 1.0 + usage.completion_tokens * 2.0) / 1e6
    assert budget.spent.dollars == pytest.approx(expected)
    assert reply.cost == pytest.approx(expected)
    begun, ended = noted
    assert (begun.cost, begun.seconds) == (None, 0.0)
    assert ended.cost == pytest.approx(expected)
    assert ended.seconds > 0


@pytest.mark.usefixtures("runtime")
def test_request_without_a_bill_counts_with_its_worst_case(
    provider: FakeProvider,
) -> None:
    impatient = dspex.LM(
        "openai/m",
        api_base=provider.base_url,
        max_tokens=20,
        timeout=0.05,
        num_retries=0,
    )
    provider.pause()

    with Budget(tokens=1000) as budget, pytest.raises(LMError):
        impatient("hi")
    provider.resume()

    assert (budget.spent.calls, budget.spent.assumed) == (1, 1)
    assert budget.spent.tokens > 20


@pytest.mark.usefixtures("runtime")
def test_error_of_the_provider_is_not_billed(
    provider: FakeProvider,
) -> None:
    provider.misbehave(SERVER_ERROR)
    once = dspex.LM("openai/m", api_base=provider.base_url, num_retries=0)

    with Budget(tokens=10_000) as budget, pytest.raises(LMServerError):
        once("hi")

    assert (budget.spent.calls, budget.spent.tokens) == (1, 0)
    assert budget.spent.assumed == 0


def test_budget_of_a_model_counts_wherever_it_is_called(
    lm: dspex.LM, provider: FakeProvider
) -> None:
    budget = Budget(calls=2, name="of the model")
    own = dspex.LM("openai/m", api_base=provider.base_url, budget=budget)

    with Budget() as around:
        own("a")
    lm("b")
    own("c")
    with pytest.raises(BudgetExceededError, match="'of the model'"):
        own("d")

    assert (budget.spent.calls, around.spent.calls) == (2, 1)


def test_deaths_leave_no_reservation_behind_and_the_cap_holds(
    lm: dspex.LM, provider: FakeProvider, runtime: dspex.Runtime
) -> None:
    # Lost requests count at worst, so there is room for them beside the answers.
    budget = Budget(calls=2000)
    with budget:
        callers = ask(lm, (f"q{n}" for n in range(300)))
        for _ in range(5):
            kill(runtime, client_name(lm))
            kill(runtime, wire_name(lm))
        answers = callers.outcomes()

    assert answers == [f"re: q{n}" for n in range(300)]
    eventually(lambda: budget.reserved.calls == 0, "all reservations settled")
    assert len(provider.bill) <= budget.spent.calls <= 2000


def test_killed_client_does_not_forget_who_waits_for_room(
    lm: dspex.LM, provider: FakeProvider, runtime: dspex.Runtime
) -> None:
    with Budget(tokens=100) as budget:
        provider.pause()
        callers = ask(lm.copy(max_tokens=60), ["a", "b"])
        eventually(lambda: budget.reserved.calls == 1)

        kill(runtime, client_name(lm))
        provider.resume()

        assert sorted(callers.outcomes()) == ["re: a", "re: b"]
    assert budget.reserved.calls == 0


def test_cancelled_call_that_waits_for_room_takes_none(
    lm: dspex.LM, provider: FakeProvider
) -> None:
    with Budget(tokens=100) as budget:
        provider.pause()
        first = ask(lm.copy(max_tokens=60), ["a"])
        eventually(lambda: budget.reserved.calls == 1)
        impatient = dspex.LM(
            "openai/m", api_base=provider.base_url, max_tokens=60, deadline=0.05
        )
        with pytest.raises(LMError):
            impatient("b")
        provider.resume()

        assert first.outcomes() == ["re: a"]
    assert budget.spent.calls == 1


def test_thread_in_a_copy_of_the_context_counts_and_another_does_not(
    lm: dspex.LM,
) -> None:
    with Budget() as budget:
        inside = Callers([lambda: lm("a")])
        inside.outcomes()
    outside = Callers([lambda: lm("b")])
    outside.outcomes()

    assert budget.spent.calls == 1


@pytest.mark.parametrize(
    ("caps", "sent"), [({"tokens": 10_000}, 4096), ({"calls": 9}, None), ({}, None)]
)
def test_answer_has_a_longest_length_where_a_cap_needs_one(
    caps: dict[str, Any],
    sent: int | None,
    provider: FakeProvider,
    runtime: dspex.Runtime,
) -> None:
    unbounded = dspex.LM("openai/m", api_base=provider.base_url)

    with Budget(**caps):
        unbounded("hi")

    assert provider.bill[0].body.get("max_tokens") == sent


@pytest.mark.usefixtures("runtime")
def test_request_that_never_left_is_not_taken_for_billed(
    provider: FakeProvider,
) -> None:
    lm = dspex.LM("openai/m", api_base=provider.base_url, num_retries=0)
    provider.stop()

    with Budget(tokens=10_000) as budget, pytest.raises(LMError):
        lm("hi")

    assert (budget.spent.tokens, budget.spent.assumed) == (0, 0)


def test_branch_that_gave_up_leaves_its_room_to_others_and_no_request_open() -> None:
    config = dspex.Config(branch_restarts=1, persist=False)
    budget = Budget(tokens=100)
    with (
        FakeProvider(answer=echo) as provider,
        FakeProvider(answer=echo) as other,
        dspex.Runtime(config) as runtime,
    ):
        lost, held = (
            dspex.LM("openai/m", api_base=url, budget=budget, max_tokens=20)
            for url in (provider.base_url, other.base_url)
        )
        record = Record(runtime.events)
        provider.pause()
        stuck = ask(lost, ["hi"])
        provider.wait_for_in_flight(1, PATIENT)
        kill(runtime, client_name(lost))
        registry = runtime.start().registry
        registry.await_name(client_name(lost), PATIENT).kill()

        (outcome,) = stuck.outcomes()

        assert type(outcome) is RuntimeClosedError
        assert_books_agree(record, provider)
        assert (budget.reserved.calls, budget.spent.assumed) == (0, 1)
        assert held("room again") == ["re: room again"]
