"""A client's machine, a wire, a provider and callers, without threads and sockets.

The client and the wire may be killed between any two of their steps, as their threads
may be. What a killed part was told and had not read is lost, as in a mailbox.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from dspex.client.budget import Budget
from dspex.client.call import AttemptRecord, Call, Fate
from dspex.client.gate import GatePolicy
from dspex.client.ledger import Ledger
from dspex.client.limits import LimitPolicy
from dspex.client.machine import ClientMachine
from dspex.client.messages import (
    Outcome,
    SendWhatMayBeSent,
    Submit,
    Withdraw,
)
from dspex.client.options import ClientOptions
from dspex.client.price import Price
from dspex.client.providers.endpoint import Endpoint
from dspex.client.retry import RetryPolicy
from dspex.client.wire import (
    BreakOff,
    Facts,
    Report,
    Send,
    SendAll,
    Sent,
    SentAll,
    Standing,
    WireUp,
)
from dspex.core.errors import (
    LMAuthError,
    LMConnectionError,
    LMError,
    LMInvalidRequestError,
    LMRateLimitError,
    LMServerError,
    LMTimeoutError,
)
from dspex.core.lm import Message, Reply, Request, Usage
from supervisors.testing import Process, Receive, Simulation, Sleep, Until

Script = Iterator[Any]
ENDPOINT = Endpoint(provider="openai", base_url="http://localhost", model="m")
LANDED = 0.01
"""Seconds a request is on its way to the provider."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """What a run is like; drawn from its seed."""

    callers: int
    max_in_flight: int
    requests_per_minute: int | None
    budget_calls: int | None
    kills: int
    failing: float
    """Share of requests that end in a passing error."""
    throttled: float
    """Share that is put off with 429."""
    outage: tuple[float, float]
    """From when to when every request fails."""
    wrong_key: bool

    @classmethod
    def drawn(cls, sim: Simulation) -> Weather:
        draw = sim.random
        begins = draw.uniform(0.0, 10.0)
        return cls(
            callers=draw.randint(1, 40),
            max_in_flight=draw.randint(1, 12),
            requests_per_minute=draw.choice([None, None, 30, 200]),
            budget_calls=draw.choice([None, None, 5, 30]),
            kills=draw.randint(0, 12),
            failing=draw.choice([0.0, 0.05, 0.3]),
            throttled=draw.choice([0.0, 0.0, 0.1]),
            outage=(begins, begins + draw.choice([0.0, 0.0, 3.0, 40.0])),
            wrong_key=draw.random() < 0.1,
        )


@dataclass(slots=True)
class Caller:
    """Somebody who asks one question and wants one answer."""

    number: int
    call: Call
    outcome: Outcome | None = None
    withdrew: bool = False
    told_down: bool = False
    """Whether the client that had its question has died."""
    answers: int = 0

    @property
    def waiter(self) -> str:
        return f"caller {self.number}"


@dataclass(slots=True)
class Provider:
    """Keeps the bill, and how many requests it has at a time."""

    bill: list[str] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    in_flight: int = 0
    in_flight_max: int = 0


class World:
    """One run."""

    def __init__(self, sim: Simulation) -> None:
        self.sim = sim
        self.weather = Weather.drawn(sim)
        self.provider = Provider()
        self.budget = Budget(calls=self.weather.budget_calls)
        self.fates: dict[str, Fate] = {}
        self.settled: dict[str, list[Outcome]] = {}
        self.ledger = Ledger(
            ClientOptions(
                max_in_flight=self.weather.max_in_flight,
                max_outage=30.0,
                gate=GatePolicy(fail_max=3, reset_after=2.0),
            )
        )
        self.callers: list[Caller] = []
        self.client: Process | None = None
        self.wire: Wire | None = None
        self._start_wire()
        self._start_client()
        for number in range(self.weather.callers):
            caller = Caller(number, self._call(number))
            self.callers.append(caller)
            sim.spawn(caller.waiter, self._calling(caller))
        sim.spawn("fate", self._killing())

    # The parts.

    def _start_client(self) -> None:
        hands = Hands(self)
        process = self.sim.spawn("client", self._client_life(hands))
        hands.process = process
        self.client = process

    def _client_life(self, hands: Hands) -> Any:
        yield Sleep()
        key = "wrong" if self.weather.wrong_key else None
        machine = ClientMachine(
            endpoint=Endpoint(
                provider="openai", base_url="http://localhost", model="m"
            ),
            label="the provider",
            ledger=self.ledger,
            outside=hands,
            has_fresh_keys=key is not None,
        )
        machine.start()
        while True:
            message = yield Receive()
            if isinstance(message, Submit):
                machine.submit(message)
            else:
                machine.handle(message)
            if hands.process is not None and not hands.process.mailbox:
                machine.pump()
            self._check_step()

    def _start_wire(self) -> None:
        self.wire = Wire(self)

    def kill_client(self) -> None:
        """Kill the client; its supervisor starts another."""
        client = self.client
        if client is None:
            return
        client.kill()
        self.client = None
        for caller in self.callers:
            caller.told_down = True
        self.sim.spawn("supervisor", self._restart(self._start_client))

    def kill_wire(self) -> None:
        """Kill the wire with all it has open; its supervisor starts another."""
        wire = self.wire
        if wire is None:
            return
        wire.kill()
        self.wire = None
        self.sim.spawn("supervisor", self._restart(self._start_wire))

    def tell_client(self, message: Any) -> bool:
        """Cast to whoever is the client now."""
        if self.client is None:
            return False
        self.client.send(message)
        return True

    def _restart(self, start: Any) -> Any:
        yield Sleep(self.sim.random.choice([0.0, 0.001, 1.0]))
        start()

    def _killing(self) -> Any:
        for _ in range(self.weather.kills):
            yield Sleep(self.sim.random.expovariate(1.0))
            if self.sim.choose(2):
                self.kill_client()
            else:
                self.kill_wire()

    # The callers.

    def _call(self, number: int) -> Call:
        draw = self.sim.random
        # Some ask the same, as those do whom the cache lets lead one after another.
        question = (
            f"q{draw.randint(0, number)}" if draw.random() < 0.3 else f"q{number}"
        )
        minute = self.weather.requests_per_minute
        return Call(
            id=question,
            request=Request(model="m", messages=(Message("user", question),)),
            cacheable=True,
            retries=RetryPolicy(retries=draw.choice([0, 2])),
            deadline=draw.choice([None, None, draw.uniform(0.0, 60.0)]),
            limits=None if minute is None else LimitPolicy(requests_per_minute=minute),
            budgets=(self.budget,),
            price=Price(input=1.0, output=1.0),
        )

    def _calling(self, caller: Caller) -> Any:
        draw = self.sim.random
        yield Sleep(draw.choice([0.0, draw.uniform(0.0, 20.0)]))
        patience = draw.choice([None, None, None, draw.uniform(0.0, 30.0)])
        until = None if patience is None else self.sim.now + patience
        while caller.outcome is None:
            yield Until(lambda: self.client is not None)
            caller.told_down = False
            self.tell_client(Submit(call=caller.call, waiter=caller.waiter))
            left = None if until is None else max(0.0, until - self.sim.now)
            held = yield Until(
                lambda: caller.outcome is not None or caller.told_down, timeout=left
            )
            if not held:
                caller.withdrew = True
                gone = Withdraw(call_id=caller.call.id, waiter=caller.waiter)
                self.tell_client(gone)
                return

    # What must hold.

    def _check_step(self) -> None:
        ledger = self.ledger
        assert ledger.in_flight <= self.weather.max_in_flight
        for lane in ledger.lanes.values():
            probes = [
                entry
                for entry in ledger.calls.values()
                if entry.attempt is not None
                and entry.attempt.permit.is_probe
                and entry.attempt.permit.generation == lane.gate._generation
            ]
            assert len(probes) <= 1, "more than one probe is out"
        cap = self.weather.budget_calls
        if cap is not None:
            spent, reserved = self.budget.spent.calls, self.budget.reserved.calls
            assert spent + reserved <= cap

    def check_end(self) -> None:
        """Nobody was forgotten and nothing is left behind."""
        for caller in self.callers:
            if not caller.withdrew:
                assert caller.outcome is not None, f"{caller.waiter} was forgotten"
                assert caller.answers == 1
            if isinstance(caller.outcome, Reply):
                assert caller.outcome.text == f"re: {caller.call.id}"
        assert not self.ledger.calls
        assert not self.ledger.by_attempt
        for lane in self.ledger.lanes.values():
            assert not len(lane.queue)
            assert lane.limiter.in_flight == 0
        assert self.budget.reserved.calls == 0
        assert self.provider.in_flight_max <= self._in_flight_at_provider()
        # Each request that reached the provider is in the books with its fate.
        assert set(self.provider.bill) <= set(self.fates)
        assert Fate.OPEN not in self.fates.values()
        assert len(set(self.provider.bill)) == len(self.provider.bill)
        cap = self.weather.budget_calls
        assert cap is None or len(self.provider.bill) <= cap
        if self.weather.requests_per_minute is not None:
            self._check_minutes(self.weather.requests_per_minute)

    def _in_flight_at_provider(self) -> int:
        # What a killed wire had out may still be there when the next one sends.
        return self.weather.max_in_flight * (1 + self.weather.kills)

    def _check_minutes(self, most: int) -> None:
        times = self.provider.times
        for at, begin in enumerate(times):
            within = [time for time in times[at:] if time < begin + 60.0 - LANDED]
            assert len(within) <= most, f"{len(within)} requests in a minute"


class Hands:
    """What the simulated client can do; see `Outside`."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.process: Process | None = None

    def now(self) -> float:
        return self._world.sim.now

    def jitter(self) -> float:
        return self._world.sim.random.random()

    def new_id(self) -> str:
        return f"r{self._world.sim.steps}.{self._world.sim.random.randrange(10**9)}"

    def transmit(self, sends: tuple[Send, ...]) -> bool:
        return self._tell_wire(SendAll(sends=sends))

    def break_off(self, request_id: str) -> None:
        self._tell_wire(BreakOff(request_id=request_id))

    def taken(self, request_id: str) -> None:
        self._tell_wire(SendAll(taken=(request_id,)))

    def ask_wire(self, up_to: int) -> None:
        self._tell_wire(Report(up_to=up_to))

    def answer(self, call_id: str, waiter: str, outcome: Outcome) -> bool:
        caller = next(one for one in self._world.callers if one.waiter == waiter)
        assert caller.call.id == call_id
        if caller.withdrew:
            return False
        caller.answers += 1
        caller.outcome = outcome
        return True

    def settle(self, call_id: str, outcome: Outcome) -> None:
        self._world.settled.setdefault(call_id, []).append(outcome)

    def keeps_books(self) -> bool:
        return True

    def note(self, record: AttemptRecord, seconds: float, *_whose: Any) -> None:
        assert seconds >= 0
        before = self._world.fates.get(record.request_id)
        assert before in {None, Fate.OPEN}, "a request has two ends"
        self._world.fates[record.request_id] = record.fate

    def tell(self, *_news: Any, **_metadata: Any) -> None:
        pass

    def remind(self, seconds: float, message: Any) -> None:
        process, sim = self.process, self._world.sim

        def timer() -> Any:
            yield Sleep(max(0.0, seconds))
            assert process is not None
            process.send(message)

        sim.spawn("timer", timer())

    def pump_soon(self) -> None:
        assert self.process is not None
        self.process.send(SendWhatMayBeSent())

    def wake_server(self) -> None:
        raise AssertionError("there is no server")

    def rest_server(self) -> None:
        raise AssertionError("there is no server")

    def _tell_wire(self, message: Any) -> bool:
        if self._world.wire is None:
            return False
        self._world.wire.process.send(message)
        return True


class Wire:
    """The simulated wire, one incarnation."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._open: dict[str, Process] = {}
        self._not_taken: dict[str, Sent] = {}
        self.process = world.sim.spawn("wire", self._life())

    def kill(self) -> None:
        for process in self._open.values():
            process.kill()
        self.process.kill()

    def _life(self) -> Any:
        yield Sleep()
        self._world.tell_client(WireUp())
        while True:
            message = yield Receive()
            match message:
                case SendAll():
                    self._send_all(message)
                case BreakOff():
                    broken = self._open.pop(message.request_id, None)
                    if broken is not None:
                        broken.kill()
                case Report():
                    for sent in self._not_taken.values():
                        self._world.tell_client(SentAll(sent=(sent,)))
                    there = frozenset(self._open) | frozenset(self._not_taken)
                    standing = Standing(open=there, up_to=message.up_to)
                    self._world.tell_client(standing)

    def _send_all(self, message: SendAll) -> None:
        for request_id in message.taken:
            self._not_taken.pop(request_id, None)
        for send in message.sends:
            script = self._request(send)
            self._open[send.request_id] = self._world.sim.spawn("request", script)

    def _request(self, send: Send) -> Any:
        world, draw = self._world, self._world.sim.random
        provider = world.provider
        yield Sleep(LANDED)
        provider.bill.append(send.request_id)
        provider.times.append(world.sim.now)
        provider.in_flight += 1
        provider.in_flight_max = max(provider.in_flight_max, provider.in_flight)
        try:
            yield Sleep(draw.expovariate(2.0))
        finally:
            provider.in_flight -= 1
        outcome = self._outcome(send)
        key_number = send.stale_key + 1 if world.weather.wrong_key else 0
        sent = Sent(
            request_id=send.request_id,
            outcome=outcome,
            facts=Facts(key_number=key_number),
        )
        if self._open.pop(send.request_id, None) is not None:
            self._not_taken[send.request_id] = sent
            world.tell_client(SentAll(sent=(sent,)))

    def _outcome(self, send: Send) -> Reply | LMError:
        world, draw = self._world, self._world.sim.random
        begins, ends = world.weather.outage
        if begins <= world.sim.now < ends:
            return LMServerError("down", status=503)
        if world.weather.wrong_key:
            return LMAuthError("wrong key", status=401)
        if draw.random() < world.weather.throttled:
            wait = draw.choice([None, 0.5])
            return LMRateLimitError("too many", status=429, retry_after=wait)
        if draw.random() < world.weather.failing:
            return draw.choice(
                [
                    LMServerError("oops", status=500),
                    LMConnectionError("broke"),
                    LMTimeoutError("silence"),
                    LMInvalidRequestError("no", status=400),
                ]
            )
        text = f"re: {send.request.messages[-1].text}"
        return Reply(texts=(text,), usage=Usage(prompt_tokens=3, completion_tokens=2))
