"""A thousand calls while a part is killed, twenty times: as if nothing had happened.

`DSPEX_KILLS` sets how often each part dies (20), for longer runs at night.
"""

from __future__ import annotations

import asyncio
import contextvars
import gc
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

import dspex
from dspex.cache.messages import Leave, LookUp, Read, Settle
from dspex.client.budget import Budget, Spending
from dspex.client.call import Fate
from dspex.client.client import Client
from dspex.client.options import LaneView
from dspex.testing import FakeProvider
from supervisors import Event, waits
from supervisors.testing import Fault, FaultKind, FaultPlan
from tests.actors.lab import (
    PATIENT,
    Record,
    assert_books_agree,
    client_name,
    echo,
    eventually,
    wire_name,
)

CALLS: Final = 1_000
ON_THREADS: Final = 100
"""How many of the calls are made by threads; the others are tasks of one loop."""
KILLS: Final = int(os.environ.get("DSPEX_KILLS", "20"))
LOST_AT_ONCE: Final = 100
"""Requests that are out while a wire dies: all of them are made again each time."""
LIMIT: Final = 60_000
"""Requests and ten times as many tokens in a minute: counted, and never reached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """What is to be the same whether parts died or not."""

    answers: list[str]
    billed: int
    fates: dict[Fate, int]
    spent: Spending
    lane: LaneView


class Run:
    """A thousand calls in one runtime: who makes them, and what is known of them."""

    def __init__(
        self,
        runtime: dspex.Runtime,
        provider: FakeProvider,
        *,
        cache: bool,
        max_in_flight: int,
    ) -> None:
        self.runtime = runtime
        self.provider = provider
        self.record = Record(runtime.events)
        self.budget = Budget(calls=10**6, tokens=10**9)
        self._answered = 0
        self._answers = threading.Condition()
        runtime.events.attach(self._note_answer, prefix=("dspex", "lm", "attempt"))
        self.lm = dspex.LM(
            "openai/m",
            api_base=provider.base_url,
            cache=cache,
            budget=self.budget,
            max_tokens=10,
            max_in_flight=max_in_flight,
            requests_per_minute=LIMIT,
            tokens_per_minute=10 * LIMIT,
        )
        # The provider has taken the key: from now on as many are out as may be.
        self.lm("first", cache=False)

    def _note_answer(self, event: Event) -> None:
        if event.metadata["record"].fate is Fate.ANSWERED:
            with self._answers:
                self._answered += 1
                self._answers.notify_all()

    def wait_for_answers(self, count: int) -> None:
        """Wait until so many calls have been answered by the provider."""
        with self._answers:
            enough = self._answers.wait_for(lambda: self._answered >= count, PATIENT)
        assert enough, f"{self._answered} of {count} answers came"

    def kill(self, name: str) -> None:
        """Kill whoever has the name, and wait until the next one has it."""
        registry = self.runtime.start().registry
        ref = registry.await_name(name, PATIENT)
        assert ref.kill()
        eventually(lambda: registry.whereis(name) not in {None, ref}, f"another {name}")

    def make_calls(self, question: Callable[[int], str] = str) -> list[str]:
        """Make all calls, on a loop and on threads, and return their answers."""
        context = contextvars.copy_context()
        with ThreadPoolExecutor(ON_THREADS + 1) as threads:
            tasks = threads.submit(context.run, asyncio.run, self._on_a_loop(question))
            others = [
                threads.submit(context.copy().run, self.lm, question(number))
                for number in range(ON_THREADS)
            ]
            answers = [other.result(6 * PATIENT)[0] for other in others]
            return answers + tasks.result(6 * PATIENT)

    async def _on_a_loop(self, question: Callable[[int], str]) -> list[str]:
        numbers = range(ON_THREADS, CALLS)
        calls = (self.lm.acall(question(number)) for number in numbers)
        return [texts[0] for texts in await asyncio.gather(*calls)]

    def books(self, answers: list[str]) -> Books:
        """Look at everything at the end."""
        handle = self.runtime.handle(client_name(self.lm))
        (lane,) = Client(handle, _stays).view().lanes
        assert self.budget.reserved.calls == 0
        return Books(
            answers=answers,
            billed=len(self.provider.bill),
            fates={fate: self.record.count(fate) for fate in Fate},
            spent=self.budget.spent,
            lane=lane,
        )


def _stays() -> None:
    """Nobody dies any more at the end of a run."""


@contextmanager
def run(*, cache: bool = False, max_in_flight: int = CALLS) -> Iterator[Run]:
    """A provider, a runtime and the calls to be made in it."""
    config = dspex.Config(
        branch_restarts=10_000, persist=cache, max_in_flight=max_in_flight
    )
    with (
        FakeProvider(answer=echo, latency=0.01, slots=20) as provider,
        dspex.Runtime(config) as runtime,
    ):
        yield Run(runtime, provider, cache=cache, max_in_flight=max_in_flight)


def calls_while(
    script: Callable[[Run], None], one: Run, question: Callable[[int], str] = str
) -> Books:
    """Make the calls while the script does what it likes."""
    failed: list[BaseException] = []

    def follow() -> None:
        try:
            script(one)
        except BaseException as error:
            failed.append(error)

    killer = threading.Thread(target=contextvars.copy_context().run, args=(follow,))
    killer.start()
    answers = one.make_calls(question)
    killer.join(PATIENT)
    assert failed == []
    return one.books(answers)


def assert_nothing_happened(books: Books) -> None:
    """What holds of every run: answers, breaker, limits, budget."""
    assert books.answers == [f"re: {number}" for number in range(CALLS)]
    assert books.fates[Fate.ANSWERED] == CALLS + 1
    assert books.fates[Fate.OPEN] == books.fates[Fate.FAILED] == 0
    assert (books.lane.gate.state.value, books.lane.gate.failures) == ("closed", 0)
    assert books.lane.queued == 0


def killing(name: Callable[[Run], str]) -> Callable[[Run], None]:
    """A script: kill that part again and again while answers come in."""

    def script(one: Run) -> None:
        one.wait_for_answers(2)
        for number in range(KILLS):
            one.wait_for_answers(1 + number * (CALLS // 2) // KILLS)
            one.kill(name(one))

    return script


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not Path("/proc/self/fd").exists(), reason="open files are counted in /proc"
    ),
]


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    """No thread, no socket and no file stays open after a run."""
    with run(cache=True) as warm:
        # What is made once for a process is made now.
        warm.lm("warm")
    eventually(lambda: not _busy_threads(), "the threads of the warm-up to end")
    before = _open_files()

    yield

    eventually(lambda: _open_files() <= before, "all sockets and files to be closed")
    eventually(lambda: not _busy_threads(), "all threads to be idle or over")


def _open_files() -> int:
    # Whoever is killed closes nothing; its file is closed when it is collected.
    gc.collect()
    return len(list(Path("/proc/self/fd").iterdir()))


def _busy_threads() -> list[str]:
    """Threads that are neither this one nor idle ones that are used again."""
    return [
        thread.name
        for thread in threading.enumerate()
        if thread is not threading.main_thread()
        and not thread.name.startswith("supervisors")
    ]


def test_client_killed_at_any_moment_costs_nothing() -> None:
    with run() as undisturbed:
        usual = undisturbed.books(undisturbed.make_calls())
    with run() as one:
        books = calls_while(killing(lambda run: client_name(run.lm)), one)
        assert_books_agree(one.record, one.provider)

    assert_nothing_happened(usual)
    assert_nothing_happened(books)
    assert books.billed == usual.billed == CALLS + 1
    assert books.spent == usual.spent
    assert books.lane.limits == usual.lane.limits


def test_wire_killed_at_any_moment_leaves_every_billed_request_in_the_books() -> None:
    with run(max_in_flight=LOST_AT_ONCE) as one:
        books = calls_while(killing(lambda run: wire_name(run.lm)), one)
        assert_books_agree(one.record, one.provider)

    assert_nothing_happened(books)
    lost, assumed = books.fates[Fate.RESTARTED], books.spent.assumed
    # What was lost before it was written has taken nothing of the budget, and there is
    # the more of it the longer there is no wire.
    assert 0 < assumed <= min(lost, KILLS * LOST_AT_ONCE)
    assert books.spent.calls == CALLS + 1 + assumed
    assert books.billed <= books.spent.calls


KINDS: Final = (FaultKind.CRASH_BEFORE, FaultKind.CRASH_AFTER, FaultKind.KILL)
MESSAGES: Final = {"memory": (LookUp, Settle, Leave), "store": (Read,)}
"""At which messages a tier dies. With the store dies the memory, and what it is told
meanwhile is lost: how many answers are written then is left to chance."""
TWICE: Final = CALLS // 2
"""How many questions there are when each is asked by two callers."""


def faults(part: str) -> FaultPlan:
    """So many deaths of a tier, of each kind, among the first of each message."""
    messages = MESSAGES[part]
    return FaultPlan(
        Fault(
            kind=KINDS[number % len(KINDS)],
            actor=f"cache.{part}",
            message=messages[number % len(messages)],
            nth=1 + number * 30 // KILLS,
        )
        for number in range(KILLS)
    )


@pytest.mark.parametrize("part", MESSAGES)
def test_a_tier_of_the_cache_killed_at_any_message_costs_nothing(part: str) -> None:
    plan = faults(part)

    def script(one: Run) -> None:
        eventually(lambda: len(waits().waits) >= CALLS, "all callers to wait")
        one.provider.resume()
        if part == "store":
            killing(lambda _: "cache.store")(one)

    with run(cache=True) as one, plan.installed(one.runtime.start()):
        one.provider.pause()
        books = calls_while(script, one, lambda number: str(number % TWICE))
        assert_books_agree(one.record, one.provider)
    # What is sent to a part that is dead just then never comes to be counted; on a
    # quick machine the store hears of few questions, and is killed by hand besides.
    assert len(plan.fired) > (KILLS // 2 if part == "memory" else 0)

    assert books.answers == [f"re: {number % TWICE}" for number in range(CALLS)]
    assert books.billed == books.spent.calls == TWICE + 1
    assert books.fates == {**dict.fromkeys(Fate, 0), Fate.ANSWERED: TWICE + 1}
    assert books.lane.gate.state.value == "closed"
