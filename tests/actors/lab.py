"""Callers, records and a branch on its own, for tests of client, cache and runtime."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import dspex
from dspex.client.call import ATTEMPT, AttemptRecord, Call, Fate
from dspex.client.client import Client
from dspex.client.http_exchange import HttpExchange
from dspex.client.ledger import Ledger
from dspex.client.messages import Listener
from dspex.client.providers.endpoint import Endpoint
from dspex.client.transport import make_transport
from dspex.core.lm import Message, Request
from dspex.runtime import tree
from dspex.runtime.config import Config
from dspex.runtime.tree import Branch
from dspex.testing import FakeProvider
from supervisors import SYSTEM_CLOCK, Clock, Event, Events, Intensity, Ref, Supervisor

PATIENT = 20.0
"""Seconds after which a test takes something for lost."""

STURDY = Config(branch_restarts=10_000, persist=False)
"""For tests that kill parts more often than a branch would stand, and count requests:
no answer comes from a file."""


def echo(messages: Sequence[Mapping[str, Any]]) -> str:
    """Answer a question with itself, so that a mixed-up answer is noticed."""
    return f"re: {messages[-1]['content']}"


class Callers:
    """Threads that each do one piece of work, and what came of it, in order."""

    def __init__(self, work: Iterable[Callable[[], Any]]) -> None:
        self._outcomes: dict[int, Any] = {}
        self.threads = [
            # Each in the context of the test, as a thread of its own has none of it.
            threading.Thread(
                target=contextvars.copy_context().run,
                args=(self._do, number, piece),
                daemon=True,
            )
            for number, piece in enumerate(work)
        ]
        for thread in self.threads:
            thread.start()

    def _do(self, number: int, piece: Callable[[], Any]) -> None:
        try:
            self._outcomes[number] = piece()
        except BaseException as error:
            self._outcomes[number] = error

    @property
    def done(self) -> int:
        return len(self._outcomes)

    def outcomes(self, patience: float = PATIENT) -> list[Any]:
        """Wait for all of them; a value or an exception each."""
        for thread in self.threads:
            thread.join(patience)
        hanging = [thread.name for thread in self.threads if thread.is_alive()]
        assert not hanging, f"{len(hanging)} callers were never answered"
        return [self._outcomes[number] for number in range(len(self.threads))]


def call(piece: Callable[[], Any]) -> Callers:
    """One caller on a thread."""
    return Callers([piece])


def ask(lm: dspex.LM, questions: Iterable[str]) -> Callers:
    """One caller for each question."""
    return Callers([partial(_first, lm, question) for question in questions])


def _first(lm: dspex.LM, question: str) -> str:
    answer: str = lm(question)[0]
    return answer


class Record:
    """What the attempt events of a runtime say, in order."""

    def __init__(self, events: Events) -> None:
        self.attempts: list[AttemptRecord] = []
        events.attach(self._note, prefix=ATTEMPT)

    def _note(self, event: Event) -> None:
        self.attempts.append(event.metadata["record"])

    @property
    def fates(self) -> dict[str, Fate]:
        """The last that is known of each request."""
        return {record.request_id: record.fate for record in tuple(self.attempts)}

    def count(self, fate: Fate) -> int:
        return list(self.fates.values()).count(fate)


def assert_books_agree(record: Record, provider: FakeProvider) -> None:
    """Every billed request is in the record with a final fate, each written once."""
    fates = record.fates
    billed = [str(entry.request_id) for entry in provider.bill]
    assert len(billed) == len(set(billed))
    assert set(billed) <= set(fates)
    assert Fate.OPEN not in fates.values()
    never_billed = {fates[request] for request in set(fates) - set(billed)}
    assert never_billed <= {Fate.RESTARTED, Fate.FAILED, Fate.CANCELLED}


def eventually(condition: Callable[[], object], what: str = "it") -> None:
    """Look until a condition holds that nobody tells of."""
    pause = threading.Event()
    for _ in range(int(PATIENT / 0.002)):
        if condition():
            return
        pause.wait(0.002)
    msg = f"{what} did not come true within {PATIENT:g} s"
    raise AssertionError(msg)


def wind_until(
    clock: Any, condition: Callable[[], object], *, step: float = 0.5
) -> float:
    """Wind a clock by hand, step by step, until a condition holds; the seconds wound.

    Small steps in real pauses, because whoever waits must first have begun to.
    """
    began = clock.monotonic()

    def holds() -> object:
        if condition():
            return True
        clock.advance(step)
        return False

    eventually(holds)
    return float(clock.monotonic() - began)


def client_name(lm: dspex.LM) -> str:
    return tree.client_name(lm._place.branch_id)


def wire_name(lm: dspex.LM) -> str:
    return f"{lm._place.branch_id}/wire"


def ledger_of(runtime: dspex.Runtime, lm: dspex.LM) -> Ledger:
    return runtime._running().branches[lm._place.branch_id].ledger


def wait_for_open_calls(runtime: dspex.Runtime, lm: dspex.LM, count: int) -> None:
    """Wait until the client has so many calls without an outcome."""

    def there() -> bool:
        branches = runtime._running().branches
        known = lm._place.branch_id in branches
        return known and len(ledger_of(runtime, lm).calls) == count

    eventually(there, f"{count} open calls")


def kill(runtime: dspex.Runtime, name: str) -> Ref[Any]:
    """Kill the present actor of that name, then wait for the next one."""
    registry = runtime.start().registry
    ref = registry.await_name(name, PATIENT)
    ref.kill()
    return registry.await_name(name, PATIENT)


@contextmanager
def branch(
    provider: FakeProvider,
    *,
    listener: Listener = lambda _call_id, _outcome: None,
    config: Config = STURDY,
    clock: Clock = SYSTEM_CLOCK,
    max_in_flight: int = 256,
) -> Iterator[tuple[Client, Supervisor, Record]]:
    """One provider's branch under a root of its own, without cache and runtime."""
    made = Branch(
        id="b",
        endpoint=Endpoint(provider="openai", base_url=provider.base_url, model="m"),
        label="the fake",
        ledger=Ledger(tree.client_options(config, max_in_flight)),
        make_exchange=lambda: HttpExchange(make_transport),
    )
    spec = tree.provider_branch(made, config, listener=listener)
    events = Events()
    record = Record(events)
    patience = Intensity(max_restarts=1000, within=1.0)
    with Supervisor.start(
        [spec], events=events, clock=clock, intensity=patience
    ) as top:

        def revive() -> None:
            top.registry.await_name(made.client_name, PATIENT)

        yield Client(top.handle(made.client_name), revive), top, record


def a_call(question: str = "hi", *, call_id: str | None = None, **options: Any) -> Call:
    """A call that asks one question; without an id, the question is the id."""
    request = Request(model="m", messages=(Message("user", question),))
    return Call(id=call_id or question, request=request, **options)
