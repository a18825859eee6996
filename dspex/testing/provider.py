"""A language-model provider on loopback that misbehaves on purpose and keeps a bill.

It is a real HTTP server on its own thread, so that a test exercises sockets, timeouts
and broken connections as they are. The bill says what was asked and what became of it,
which is what a test compares with a run's own record.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Collection, Coroutine
from functools import reduce
from operator import add
from typing import Any, Self, TypeVar

from dspex.client.price import FREE, Price
from dspex.core.lm import Usage
from dspex.testing._bill import Bill, Billed
from dspex.testing._http_server import Connection
from dspex.testing._plan import Planner
from dspex.testing._responses import Responder
from dspex.testing._rules import On, Rule, Script, Step
from dspex.testing._service import Service
from dspex.testing.answers import Answer
from dspex.testing.faults import Fault
from dspex.testing.latency import Latency, latency_by_number
from dspex.testing.rate_limit import RateLimit

T = TypeVar("T")

_REPLY_WITHIN = 10.0
"""Seconds the server's own thread may take to do what a caller asked of it."""
_TURNS = 10
"""Turns of the loop in which it surely takes a connection, reads a request and sees
that its client has left; asyncio needs seven."""


class FakeProvider:
    """A server for tests that speaks the APIs of OpenAI, Anthropic and Gemini.

    Chat and embeddings of OpenAI are under `base_url`, as is Anthropic's
    `/messages`; Gemini's `/v1beta/models/...` is under `root_url`. All of them have
    the same answers, faults, limits and bill. A token is a word.

    When to use it: for anything that depends on the wire, such as retries, deadlines,
    limits and restarts. When not: to test what a program does with an answer, where a
    `LanguageModel` of three lines is simpler and faster.

    Args:
        answer: From the chat messages, in OpenAI's words, to the completion's text, a
            `ToolCallAnswer`, a `FullAnswer`, or a whole response body. It runs on the
            server's thread, so it must be quick and thread-safe.
        latency: Seconds of work per request, a `Latency` such as `SlowTail(...)`, or a
            function from the request's number.
        slots: How many requests are worked on at once; the others wait in a queue.
            `None` works on all of them.
        api_key: When given, requests without this key are answered as a wrong key is.
        seed: Seed of everything that is left to chance. The same request number has
            the same fate with the same seed, whatever the order of threads.
        limit: The rate limit callers are held to; `None` is none.
        models: The models there are; others are not found. `None` has every model.
        chunk_interval: Seconds between two events of a streamed answer.
        price: What tokens cost, for the bill; nothing unless given.

    Attributes:
        base_url: What to pass as `api_base`; the same after `stop()` and `start()`.

    Example:
        >>> import httpx
        >>> with FakeProvider(answer=lambda messages: "Lima") as provider:
        ...     url = f"{provider.base_url}/chat/completions"
        ...     reply = httpx.post(url, json={"messages": []}, trust_env=False)
        ...     fates = [billed.fate for billed in provider.bill]
        >>> reply.json()["choices"][0]["message"]["content"], fates
        ('Lima', ['answered'])
    """

    def __init__(
        self,
        *,
        answer: Answer | None = None,
        latency: float | Callable[[int], float] | Latency = 0.0,
        slots: int | None = None,
        api_key: str | None = None,
        seed: int = 0,
        limit: RateLimit | None = None,
        models: Collection[str] | None = None,
        chunk_interval: float = 0.0,
        price: Price = FREE,
    ) -> None:
        self._seed = seed
        self._series = 0
        self._loop = asyncio.new_event_loop()
        responder = Responder(answer=answer or (lambda _messages: "ok"), models=models)
        self._service = Service(
            bill=Bill(price),
            planner=Planner(responder=responder, chunk_interval=chunk_interval),
            latency=latency_by_number(latency, seed),
            slots=slots,
            api_key=api_key,
            limit=limit,
            loop=self._loop,
        )
        self._connections: set[Connection] = set()
        self._server: asyncio.Server | None = None
        self._port = 0
        self._thread = threading.Thread(
            target=self._run_loop, name="fake-provider", daemon=True
        )

    def __enter__(self) -> Self:
        """Start the thread and listen on a free port of 127.0.0.1."""
        self.start()
        return self

    def __exit__(self, *_exc_info: object) -> None:
        """Close every connection and end the thread."""
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_REPLY_WITHIN)

    @property
    def base_url(self) -> str:
        """The root of the API, such as `http://127.0.0.1:41234/v1`."""
        return f"{self.root_url}/v1"

    @property
    def root_url(self) -> str:
        """The server's address without a path."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def bill(self) -> tuple[Billed, ...]:
        """Every request received so far, oldest first: a copy, from any thread.

        A request whose answer the client has read is in it as "answered".
        """
        self._settle()
        return self._service.bill.snapshot()

    def bill_of(self, request_id: str) -> tuple[Billed, ...]:
        """Return what is on the bill for an id, oldest first.

        Args:
            request_id: A request's `X-Client-Request-Id`, or the `Idempotency-Key`
                that all attempts of one call share.

        Returns:
            Every request that carried it; empty when none did.
        """
        return tuple(
            billed
            for billed in self.bill
            if request_id in (billed.request_id, billed.idempotency_key)
        )

    @property
    def total_usage(self) -> Usage:
        """The tokens of all requests that have ended."""
        return reduce(add, (billed.usage for billed in self.bill), Usage())

    @property
    def total_cost(self) -> float:
        """What all requests that have ended cost, in US dollars by the price."""
        return sum(billed.cost for billed in self.bill)

    @property
    def in_flight(self) -> int:
        """Requests received whose exchange has not ended."""
        self._settle()
        return self._service.bill.in_flight

    @property
    def in_flight_max(self) -> int:
        """The most requests that were in flight at one time."""
        return self._service.bill.in_flight_max

    def start(self) -> None:
        """Listen; after `stop()` on the same port again. Harmless when listening.

        A `with` statement calls this, and ends the thread as well. Call it yourself
        where the provider is to outlive a block, as in a notebook.
        """
        if self._thread.ident is None:
            self._thread.start()
        self._on_loop(self._listen())

    def stop(self) -> None:
        """Be down: refuse connections and break the open ones off ("cut")."""
        self._on_loop(self._hang_up())

    def pause(self) -> None:
        """Take requests but work on none of them, until `resume()`."""
        self._on_loop(_call(self._service.pause))

    def resume(self) -> None:
        """Work on the requests that were held back."""
        self._on_loop(_call(self._service.resume))

    def misbehave(
        self,
        fault: Fault,
        *,
        on: On = None,
        times: int | None = None,
        share: float = 1.0,
        spare_retries: bool = False,
    ) -> None:
        """Answer some requests with a fault from now on.

        Rules are tried in the order they were added; the first that applies acts.

        Args:
            fault: What to do instead of answering.
            on: The request's number (from 1), several of them, a predicate over the
                `Billed` request, or `None` for all.
            times: How often at most; `None` is no limit.
            share: Which part of those requests, by chance: 0.05 is one in twenty. A
                call's retry is another request and has its own chance.
            spare_retries: Let a request pass when one with its `Idempotency-Key` came
                before, so that every call is answered at its second attempt.

        Raises:
            ConfigurationError: When the share is not from 0 to 1.
        """
        rule = Rule(
            fault=fault,
            on=on,
            times=times,
            share=share,
            spares_retries=spare_retries,
            series=self._next_series(),
            seed=self._seed,
        )
        self._on_loop(_call(lambda: self._service.rules.append(rule)))

    def play(self, *steps: Step) -> None:
        """Behave as a script says from now on, one step after the other.

        Rules added before have the first word. After the last step the provider
        answers as usual.

        Example:
            >>> from dspex.testing import OVERLOADED
            >>> outage = Step(fault=OVERLOADED, requests=20)
            >>> with FakeProvider() as provider:
            ...     provider.play(Step(requests=100), outage, Step(seconds=1.0))
        """
        series = self._next_series()
        now = self._loop.time()
        script = Script(steps, now=now, series=series, seed=self._seed)
        self._on_loop(_call(lambda: self._service.rules.append(script)))

    def set_limit(self, limit: RateLimit | None) -> None:
        """Hold callers to another rate limit from now on, or to none."""
        self._on_loop(_call(lambda: self._service.set_limit(limit)))

    def behave(self) -> None:
        """Forget all faults and scripts."""
        self._on_loop(_call(self._service.rules.clear))

    def wait_for_in_flight(self, n: int, timeout: float) -> None:
        """Wait until at least `n` requests are in flight.

        Raises:
            TimeoutError: When that did not happen within `timeout` seconds.
        """
        self._settle()
        if not self._service.bill.wait(lambda bill: bill.in_flight >= n, timeout):
            self._give_up(f"{n} requests in flight", timeout)

    def wait_for_idle(self, timeout: float) -> None:
        """Wait until no request is in flight.

        Raises:
            TimeoutError: When that did not happen within `timeout` seconds.
        """
        self._settle()
        if not self._service.bill.wait(lambda bill: bill.in_flight == 0, timeout):
            self._give_up("no request in flight", timeout)

    def wait_for_bill(self, n: int, timeout: float) -> None:
        """Wait until at least `n` requests have been received.

        Raises:
            TimeoutError: When that did not happen within `timeout` seconds.
        """
        if not self._service.bill.wait(lambda bill: bill.received >= n, timeout):
            self._give_up(f"{n} requests received", timeout)

    def _next_series(self) -> str:
        self._series += 1
        return f"rule {self._series}"

    def _settle(self) -> None:
        # A client can read an answer before this server's thread has written down that
        # it is out, and can send and leave before that thread has looked.
        if self._thread.is_alive():
            self._on_loop(_turns())

    def _give_up(self, wish: str, timeout: float) -> None:
        msg = (
            f"waited {timeout:g} s for {wish}; there are {self.in_flight} in flight of"
            f" {len(self.bill)} received. Look at `bill` for what became of the others."
        )
        raise TimeoutError(msg)

    def _run_loop(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            self._loop.close()

    def _on_loop(self, work: Coroutine[Any, Any, T]) -> T:
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        return future.result(_REPLY_WITHIN)

    async def _listen(self) -> None:
        if self._server is not None:
            return
        self._server = await self._loop.create_server(
            lambda: Connection(self._connections, self._service.on_request),
            "127.0.0.1",
            self._port,
            backlog=1024,
            reuse_address=True,
        )
        self._port = self._server.sockets[0].getsockname()[1]

    async def _hang_up(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
            # What was accepted a moment ago becomes a connection.
            await _turns()
        self._service.cut_all()
        for connection in list(self._connections):
            connection.transport.abort()
        # One turn of the loop, so that the sockets are closed when this returns.
        await asyncio.sleep(0)


async def _turns() -> None:
    """Let the loop run what is ready, and what that makes ready."""
    for _ in range(_TURNS):
        await asyncio.sleep(0)


async def _call(action: Callable[[], object]) -> None:
    """Run a plain function on the loop's thread."""
    action()
