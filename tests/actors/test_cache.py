"""One answer for equal questions: hit, lead, follow, and what is kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

import dspex
from dspex.cache.key import Identity
from dspex.cache.memory import MemoryActor, as_cached
from dspex.cache.messages import Found, GetStatistics, Lead, Leave, Settle
from dspex.cache.messages import LookUp as LookUpIdentity
from dspex.cache.statistics import CacheStatistics
from dspex.core.errors import LMCancelledError, LMServerError, LMTimeoutError
from dspex.core.lm import Message, Reply, Usage
from dspex.testing import SERVER_ERROR, FakeProvider
from supervisors import ChildSpec, Handle, Scope, Supervisor, within
from supervisors.testing import ManualClock
from tests.actors.lab import (
    PATIENT,
    STURDY,
    Callers,
    ask,
    call,
    echo,
    kill,
)

PAID = Reply(texts=("Lima",), usage=Usage(prompt_tokens=3, completion_tokens=1))
FREE = as_cached(PAID)


def LookUp(*, key: str, caller: str, deadline: float | None = None) -> LookUpIdentity:  # noqa: N802 - a message
    """A look-up by the key alone."""
    return LookUpIdentity(identity=Identity(key, ""), caller=caller, deadline=deadline)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def memory(clock: ManualClock) -> Iterator[Handle]:
    """A cache of two answers that last 100 seconds."""
    spec = ChildSpec(
        id="memory",
        actor=MemoryActor,
        kwargs={"max_entries": 2, "ttl": 100.0},
        name="memory",
    )
    with Supervisor.start([spec], clock=clock) as top:
        yield top.handle("memory")


def settle(memory: Handle, key: str, reply: Reply = PAID) -> None:
    assert memory.call(LookUp(key=key, caller=f"leader of {key}")) == Lead()
    memory.cast(Settle(key=key, outcome=reply))
    # An answer to a later question, so it is settled when this returns.
    memory.call(GetStatistics())


def is_known(memory: Handle, key: str) -> bool:
    found = memory.call(LookUp(key=key, caller="asker"))
    memory.cast(Leave(key=key, caller="asker"))
    return isinstance(found, Found)


# The actor alone.


def test_first_leads_and_the_others_follow_until_it_settles(memory: Handle) -> None:
    assert memory.call(LookUp(key="k", caller="a")) == Lead()
    followers = [memory.submit(LookUp(key="k", caller=name)) for name in "bcd"]
    assert memory.call(LookUp(key="other", caller="e")) == Lead()

    assert not any(follower.done() for follower in followers)
    memory.cast(Settle(key="k", outcome=PAID))

    assert [follower.get(timeout=PATIENT) for follower in followers] == [
        Found(FREE)
    ] * 3


def test_leader_that_leaves_makes_the_longest_waiting_follower_lead(
    memory: Handle,
) -> None:
    memory.call(LookUp(key="k", caller="a"))
    second = memory.submit(LookUp(key="k", caller="b"))
    third = memory.submit(LookUp(key="k", caller="c"))

    memory.cast(Leave(key="k", caller="a"))

    assert second.get(timeout=PATIENT) == Lead()
    assert not third.done()
    memory.cast(Leave(key="k", caller="b"))
    assert third.get(timeout=PATIENT) == Lead()


def test_follower_that_left_is_not_made_a_leader(memory: Handle) -> None:
    memory.call(LookUp(key="k", caller="a"))
    memory.submit(LookUp(key="k", caller="b"))
    third = memory.submit(LookUp(key="k", caller="c"))

    memory.cast(Leave(key="k", caller="b"))
    memory.cast(Leave(key="k", caller="a"))

    assert third.get(timeout=PATIENT) == Lead()


def test_last_one_to_leave_ends_the_flight(memory: Handle) -> None:
    memory.call(LookUp(key="k", caller="a"))
    memory.cast(Leave(key="k", caller="a"))

    assert memory.call(LookUp(key="k", caller="b")) == Lead()


def test_who_left_long_ago_disturbs_nobody(memory: Handle) -> None:
    """A caller whose call failed leaves a flight that is another's by now."""
    memory.call(LookUp(key="k", caller="a"))
    memory.cast(Settle(key="k", outcome=LMServerError("down")))
    assert memory.call(LookUp(key="k", caller="b")) == Lead()
    follower = memory.submit(LookUp(key="k", caller="c"))

    memory.cast(Leave(key="k", caller="a"))
    memory.call(GetStatistics())

    assert not follower.done()


def test_errors_reach_each_follower_as_its_own_and_are_not_kept(memory: Handle) -> None:
    cause = ValueError("deep down")
    error = LMServerError("down", status=500, request_id="r-1")
    error.__cause__ = cause
    memory.call(LookUp(key="k", caller="a"))
    followers = [memory.submit(LookUp(key="k", caller=name)) for name in "bc"]

    memory.cast(Settle(key="k", outcome=error))
    raised = []
    for follower in followers:
        with pytest.raises(LMServerError, match="down") as caught:
            follower.get(timeout=PATIENT)
        raised.append(caught.value)

    assert raised[0] is not raised[1]
    assert error.__traceback__ is None
    assert {(one.status, one.request_id) for one in raised} == {(500, "r-1")}
    assert all(one.__cause__ is cause for one in raised)
    assert memory.call(LookUp(key="k", caller="d")) == Lead()


def test_answers_last_as_long_as_their_time_to_live(
    memory: Handle, clock: ManualClock
) -> None:
    settle(memory, "k")

    clock.advance(89.0)
    before = is_known(memory, "k")
    clock.advance(11.0)

    assert before
    assert not is_known(memory, "k")


def test_looking_at_an_answer_does_not_prolong_its_life(
    memory: Handle, clock: ManualClock
) -> None:
    settle(memory, "k")
    clock.advance(60.0)
    assert is_known(memory, "k")
    clock.advance(60.0)

    assert not is_known(memory, "k")


def test_least_recently_used_answer_makes_room(memory: Handle) -> None:
    settle(memory, "old")
    settle(memory, "used")
    assert is_known(memory, "old")
    settle(memory, "new")

    assert [is_known(memory, key) for key in ("old", "used", "new")] == [
        True,
        False,
        True,
    ]


def test_answer_to_which_nobody_leads_is_kept_all_the_same(memory: Handle) -> None:
    memory.cast(Settle(key="k", outcome=PAID))

    assert is_known(memory, "k")


def test_truncated_answer_is_answered_and_not_kept(memory: Handle) -> None:
    cut = Reply(texts=("Lim",), finish_reasons=("length",))
    memory.call(LookUp(key="k", caller="a"))
    follower = memory.submit(LookUp(key="k", caller="b"))

    memory.cast(Settle(key="k", outcome=cut))

    assert follower.get(timeout=PATIENT) == Found(as_cached(cut))
    assert not is_known(memory, "k")


def test_followers_deadline_ends_its_waiting_only(
    memory: Handle, clock: ManualClock
) -> None:
    memory.call(LookUp(key="k", caller="a"))
    hasty = memory.submit(LookUp(key="k", caller="b", deadline=5.0))
    patient = memory.submit(LookUp(key="k", caller="c", deadline=9.0))
    memory.call(GetStatistics())

    clock.advance(5.0)

    with pytest.raises(LMTimeoutError, match="deadline"):
        hasty.get(timeout=PATIENT)
    memory.cast(Settle(key="k", outcome=PAID))
    assert patient.get(timeout=PATIENT) == Found(FREE)
    clock.advance(9.0)
    memory.call(GetStatistics())


def test_statistics_count_each_look_up_once(memory: Handle) -> None:
    settle(memory, "k")
    memory.call(LookUp(key="k", caller="hit"))
    memory.call(LookUp(key="l", caller="a"))
    followers = [memory.submit(LookUp(key="l", caller=name)) for name in "bc"]
    memory.cast(Settle(key="l", outcome=PAID))
    for follower in followers:
        follower.get(timeout=PATIENT)
    settle(memory, "m")

    counts = memory.call(GetStatistics())

    assert replace(counts, bytes=0) == CacheStatistics(
        size=2, hits=1, misses=3, shared=2, evictions=1
    )
    assert counts.hit_rate == 0.5


def test_answers_whose_time_was_over_count_as_evictions(
    memory: Handle, clock: ManualClock
) -> None:
    settle(memory, "k")
    clock.advance(101.0)
    settle(memory, "l")

    counts = memory.call(GetStatistics())

    assert (counts.size, counts.evictions) == (1, 1)


# With the client, through `LM`.


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider(answer=echo) as provider:
        yield provider


@pytest.fixture
def runtime() -> Iterator[dspex.Runtime]:
    with dspex.Runtime(STURDY) as runtime:
        yield runtime


@pytest.fixture
def lm(provider: FakeProvider) -> dspex.LM:
    return dspex.LM("openai/m", api_base=provider.base_url)


def test_thirty_two_threads_with_ten_questions_cost_ten_requests(
    provider: FakeProvider, runtime: dspex.Runtime, lm: dspex.LM
) -> None:
    questions = [str(number) for number in range(10)]

    threads = Callers(
        [lambda: [lm(question)[0] for question in questions] for _ in range(32)]
    )

    assert threads.outcomes() == [[f"re: {question}" for question in questions]] * 32
    assert len(provider.bill) == 10
    counts = runtime.cache.statistics()
    assert (counts.size, counts.misses) == (10, 10)
    assert counts.hits + counts.shared == 310


def test_reply_from_the_cache_says_so_and_cost_nothing(
    provider: FakeProvider, runtime: dspex.Runtime, lm: dspex.LM
) -> None:
    ask_it = [Message("user", "hi")]

    paid, free = lm.complete(ask_it), lm.complete(ask_it)

    assert (paid.cached, paid.attempts) == (False, 1)
    assert paid.usage.total_tokens == 3
    assert paid.latency > 0
    assert (free.cached, free.attempts, free.usage) == (True, 0, Usage())
    assert free.texts == paid.texts


def test_error_reaches_all_who_wait_and_the_next_asks_again(
    provider: FakeProvider, runtime: dspex.Runtime
) -> None:
    lm = dspex.LM("openai/m", api_base=provider.base_url, num_retries=0)
    provider.misbehave(SERVER_ERROR, times=1)
    provider.pause()
    callers = ask(lm, ["same"] * 8)
    provider.wait_for_in_flight(1, PATIENT)
    provider.resume()

    outcomes = callers.outcomes()
    failed = [one for one in outcomes if isinstance(one, LMServerError)]

    # Who came after the error asked for itself; all others had it, from one request.
    assert failed
    assert len(provider.bill) == (1 if len(failed) == 8 else 2)
    assert {one.model for one in failed} == {"openai/m"}
    assert lm("same") == ["re: same"]


def test_cancelled_leader_costs_exactly_one_more_request(
    provider: FakeProvider, runtime: dspex.Runtime, lm: dspex.LM
) -> None:
    scope = Scope("the leader's work")

    def lead() -> list[str]:
        with within(scope):
            return lm("same")

    provider.pause()
    leader = call(lead)
    provider.wait_for_in_flight(1, PATIENT)
    followers = ask(lm, ["same"] * 6)

    scope.cancel("enough")
    (error,) = leader.outcomes()
    provider.wait_for_bill(2, PATIENT)
    provider.resume()

    assert isinstance(error, LMCancelledError)
    assert followers.outcomes() == ["re: same"] * 6
    assert [entry.fate for entry in provider.bill] == ["gone", "answered"]


def test_truncated_answers_are_asked_for_again(runtime: dspex.Runtime) -> None:
    def cut(_messages: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        message = {"role": "assistant", "content": "Lim"}
        return {"choices": [{"message": message, "finish_reason": "length"}]}

    with FakeProvider(answer=cut) as provider:
        lm = dspex.LM("openai/m", api_base=provider.base_url)

        assert [lm("hi"), lm("hi")] == [["Lim"], ["Lim"]]
        assert len(provider.bill) == 2
        assert provider.bill[0].idempotency_key != provider.bill[1].idempotency_key


def test_answers_expire_with_the_runtimes_clock(provider: FakeProvider) -> None:
    clock = ManualClock()
    with dspex.Runtime(
        dspex.Config(cache_ttl=60.0, persist=False), clock=clock
    ) as runtime:
        lm = dspex.LM("openai/m", api_base=provider.base_url)
        lm("hi")
        # An answer to a later question, so the answer is kept by now.
        assert runtime.cache.statistics().size == 1
        clock.advance(53.0)
        lm("hi")
        before = len(provider.bill)
        clock.advance(7.0)
        lm("hi")

    assert (before, len(provider.bill)) == (1, 2)


def test_one_call_may_say_for_itself_whether_it_is_cached(
    provider: FakeProvider, runtime: dspex.Runtime
) -> None:
    lm = dspex.LM("openai/m", api_base=provider.base_url)

    for cached in (True, False, True):
        assert lm("same", cache=cached) == ["re: same"]

    assert len(provider.bill) == 2
    assert not any("cache" in billed.body for billed in provider.bill)


def test_calls_without_cache_are_never_shared(
    provider: FakeProvider, runtime: dspex.Runtime
) -> None:
    lm = dspex.LM("openai/m", api_base=provider.base_url, cache=False)
    provider.pause()
    callers = ask(lm, ["same"] * 8)
    provider.wait_for_in_flight(8, PATIENT)
    provider.resume()

    assert callers.outcomes() == ["re: same"] * 8
    assert len({entry.idempotency_key for entry in provider.bill}) == 8
    assert runtime.cache.statistics() == CacheStatistics()


def test_rollout_id_keeps_answers_apart_and_is_not_sent(
    provider: FakeProvider, runtime: dspex.Runtime, lm: dspex.LM
) -> None:
    for rollout in (1, 2, 1, 2):
        lm("hi", rollout_id=rollout)
    lm("hi")

    assert len(provider.bill) == 3
    assert not any("rollout_id" in entry.body for entry in provider.bill)


def test_cleared_cache_asks_again(
    provider: FakeProvider, runtime: dspex.Runtime, lm: dspex.LM
) -> None:
    lm("hi")

    assert runtime.cache.clear() == 1
    lm("hi")

    assert len(provider.bill) == 2


def test_death_of_the_cache_costs_nobody_an_answer_and_no_second_bill(
    provider: FakeProvider, runtime: dspex.Runtime, lm: dspex.LM
) -> None:
    provider.pause()
    callers = ask(lm, ["same"] * 20)
    provider.wait_for_in_flight(1, PATIENT)

    for _ in range(3):
        kill(runtime, "cache.memory")
    provider.resume()

    assert callers.outcomes() == ["re: same"] * 20
    assert len(provider.bill) == 1


def test_answer_that_comes_after_a_death_of_the_cache_is_kept(
    provider: FakeProvider, runtime: dspex.Runtime, lm: dspex.LM
) -> None:
    provider.pause()
    caller = call(lambda: lm("hi"))
    provider.wait_for_in_flight(1, PATIENT)
    kill(runtime, "cache.memory")
    provider.resume()
    caller.outcomes()

    lm("hi")

    assert len(provider.bill) == 1
