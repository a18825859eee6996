"""A daemon under load while its actors, its model server and itself are killed.

```
python -m tests.kills.daemon --requests 2000 --kills 20 --json
```

Two hundred requests are out at any time. Actors crash or are killed at their messages,
the model server and the work on single requests by signal; at the end the daemon is
asked to end with two hundred requests in flight. Another daemon is killed with -9 in
the middle of a run, started again, and asked for the same. It ends with 1 when an
accepted request had no answer, or a wrong one, the run counts something else, or too
little was killed for that to say anything.

A quick machine has all that in a few seconds. So a branch may be restarted more often
here than the ten times in half a minute after which it gives up by default, and what it
was asked is answered with 503.

Half of the requests ask a model on this machine; its server is a stand-in that answers
at once. With `--model local/gemma-3-270m` it is the model of the extra `demo`, at a
size that it can take; what it says counts as right whatever it is.

```
python -m tests.kills.daemon --model local/gemma-3-270m --requests 80 --kills 6 \
    --in-flight 20
```
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import click
import httpx

from dspex.testing import FakeProvider
from tests.actors.rows import answer
from tests.kills.actors import undisturbed
from tests.serve.running import RunningDaemon

PATIENT = 600.0
"""Seconds after which something is stuck."""
LATENCY = 0.02
"""Seconds that a model takes."""
RESTARTS = 1_000
"""Restarts of a branch after which it gives up."""
STAND_IN = "local/stand-in"
"""The model whose server only stands in."""


@dataclass(slots=True)
class Survived:
    """What a daemon came to whose parts were killed."""

    in_flight: int
    """Requests out at a time."""
    model: str = STAND_IN
    """Whose server was killed."""
    answers: dict[str, int] = field(default_factory=dict)
    """How many requests had which answer, before it was asked to end."""
    last_answers: dict[str, int] = field(default_factory=dict)
    """The same for those that were in flight when it was asked to end."""
    fired: list[str] = field(default_factory=list)
    """What happened to its actors."""
    servers_killed: int = 0
    """Model servers killed with -9."""
    requests_struck: int = 0
    """Requests whose work was killed."""
    exit_code: int | None = None
    """How it ended."""

    @property
    def is_sound(self) -> bool:
        """Whether every accepted request had its answer, and the end was in order."""
        return (
            set(self.answers) == {"right"}
            and self.last_answers == {"right": self.in_flight}
            and self.exit_code == 0
        )


@contextlib.contextmanager
def daemon(
    home: Path,
    provider: FakeProvider,
    *options: str,
    faults: str = "",
    model: str = STAND_IN,
) -> Iterator[RunningDaemon]:
    """A daemon with the programs of `tests.kills.served`."""
    stand_in = home / "stand-in.gguf"
    stand_in.touch()
    served = "tests.kills.served"
    words = [f"{served}:{name}" for name in ("ask", "local", "strike", "evaluated")]
    words += ["--model", "fake", "--api-base", provider.base_url, *options]
    environ = {
        "STAND_IN": str(stand_in),
        "LOCAL_MODEL": model,
        "FAULTS": faults,
        "LATENCY": str(LATENCY),
        "DSPEX_BRANCH_RESTARTS": str(RESTARTS),
    }
    module = "tests.kills.daemon_process"
    with RunningDaemon(words, home=home, module=module, environ=environ) as running:
        yield running


def under_load(
    home: Path,
    *,
    requests: int,
    kills: int,
    in_flight: int,
    seed: int = 0,
    model: str = STAND_IN,
) -> Survived:
    """Ask a daemon while its parts are killed, and then ask it to end."""
    told = Survived(in_flight=in_flight, model=model)
    options = ["--max-requests", str(2 * in_flight), "--drain-within", str(PATIENT)]
    with (
        FakeProvider(answer=answer, latency=LATENCY) as provider,
        daemon(
            home, provider, *options, faults=f"seed={seed} count={kills}", model=model
        ) as running,
    ):
        load = _Load(running, provider, told, home=home, seed=seed)
        asyncio.run(load.run(requests, kills))
        told.exit_code = running.wait()
    told.fired = json.loads(running.said[-1])["fired"]
    return told


class _Load:
    """Requests that go out together, and what strikes meanwhile."""

    def __init__(
        self,
        running: RunningDaemon,
        provider: FakeProvider,
        told: Survived,
        *,
        home: Path,
        seed: int,
    ) -> None:
        self._running = running
        self._provider = provider
        self._told = told
        self._pid_file = home / "stand-in.pid"
        self._dice = random.Random(seed)

    async def run(self, requests: int, kills: int) -> None:
        """Ask, strike, and send SIGTERM when all places are taken."""
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(self._running.url, connector=connector) as it:
            self._session = it
            self._numbers = iter(range(requests))
            self._left = requests
            # One strike whenever so many have been answered.
            self._every = max(1, requests // (2 * kills + 2))
            await asyncio.gather(*(self._ask() for _ in range(self._told.in_flight)))
            await self._end(requests)

    async def _ask(self) -> None:
        for number in self._numbers:
            path = "/local" if number % 2 else "/ask"
            self._note(await self._answer(path, number))
            self._left -= 1
            # Not at the end: a strike with few others there strikes itself too often.
            is_full = self._left > self._told.in_flight
            if is_full and self._left % self._every == 0:
                await self._strike()

    def _note(self, answer: str) -> None:
        self._told.answers[answer] = self._told.answers.get(answer, 0) + 1

    async def _strike(self) -> None:
        if self._dice.random() < 0.5:
            self._kill_server()
        else:
            async with self._session.post("/strike", json={}) as response:
                struck = await response.json()
            if response.status == 200:
                self._told.requests_struck += struck["killed"]
            else:
                self._note(f"strike: {struck}")

    def _kill_server(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            os.kill(self._server(), signal.SIGKILL)
            self._told.servers_killed += 1

    def _server(self) -> int:
        """The process that serves the model; of a stand-in, once it does."""
        if self._told.model == STAND_IN:
            return int(self._pid_file.read_text("ascii"))
        # The only process that a daemon starts.
        daemon = f"{self._running.process.pid}"
        found = subprocess.run(
            ["pgrep", "-P", daemon], capture_output=True, text=True, check=False
        )
        return int(found.stdout)

    async def _end(self, first: int) -> None:
        """Have all places taken, and ask it to end."""
        self._provider.pause()
        many = self._told.in_flight
        billed = len(self._provider.bill)
        waiting = [
            asyncio.create_task(self._answer("/ask", first + number))
            for number in range(many)
        ]
        await asyncio.to_thread(self._provider.wait_for_bill, billed + many, PATIENT)
        self._running.send(signal.SIGTERM)
        await asyncio.to_thread(self._running.hears, "asked to end")
        self._provider.resume()
        self._told.last_answers.update(Counter(await asyncio.gather(*waiting)))

    async def _answer(self, path: str, number: int) -> str:
        """Ask, and say in a word what came of it."""
        inputs = {"question": f"q{number}"}
        try:
            async with self._session.post(path, json=inputs) as response:
                told: dict[str, Any] = await response.json()
        except aiohttp.ClientError as error:
            return f"none: {type(error).__name__}"
        if response.status != 200:
            return f"{response.status}: {told}"
        any_will_do = path == "/local" and self._told.model != STAND_IN
        is_right = (
            isinstance(told.get("answer"), str)
            if any_will_do
            else told == {"answer": f"a{number}"}
        )
        return "right" if is_right else f"wrong: {told}"


@dataclass(slots=True)
class WentOn:
    """What a run came to whose daemon was killed and started again."""

    examples: int
    kills: int
    ended: int
    """Further daemons that were asked to end in the middle, with no time to drain."""
    answers_at_end: list[str] = field(default_factory=list)
    """What those answered to the request that the run belonged to."""
    digest: str = ""
    undisturbed: str = ""
    """The digest of a run that nobody disturbed."""
    billed: int = 0
    """Requests the provider received."""
    concurrency: int = 8

    @property
    def is_sound(self) -> bool:
        """Whether it counts the same, and only what was out was paid again.

        Who was asked to end has answered, whatever it could.
        """
        again = self.concurrency * (self.kills + self.ended)
        return (
            self.digest == self.undisturbed
            and self.billed <= self.examples + again
            and len(self.answers_at_end) == self.ended
        )


def killed_run(home: Path, *, examples: int, kills: int, ended: int) -> WentOn:
    """Kill the daemon that works on a run, and others gently; go on with it."""
    told = WentOn(examples=examples, kills=kills, ended=ended)
    told.undisturbed = undisturbed(examples)
    rounds = kills + ended
    with FakeProvider(answer=answer, latency=LATENCY / 4) as provider:
        for number in range(rounds):
            with daemon(home, provider, "--drain-within", "0") as running:
                caller = _Caller(running, told)
                # Some are done, and the others are not.
                provider.wait_for_bill(examples * (number + 1) // (rounds + 1), PATIENT)
                if number < kills:
                    running.process.kill()
                    running.wait()
                else:
                    assert running.ends() == 0
                if (answered := caller.answered()) is not None and number >= kills:
                    told.answers_at_end.append(str(answered[0]))
        with daemon(home, provider) as running:
            status, body = _Caller(running, told).answered() or (0, {})
            assert status == 200, body
            assert running.ends() == 0
        told.digest = body["digest"]
        told.billed = len(provider.bill)
    return told


class _Caller:
    """Asks for the run in a thread."""

    def __init__(self, running: RunningDaemon, told: WentOn) -> None:
        self._answered: tuple[int, dict[str, Any]] | None = None
        self._thread = threading.Thread(target=self._ask, args=(running, told))
        self._thread.start()

    def _ask(self, running: RunningDaemon, told: WentOn) -> None:
        order = {
            "run": "killed",
            "examples": told.examples,
            "concurrency": told.concurrency,
        }
        with contextlib.suppress(httpx.TransportError):
            response = running.post("/evaluated", **order)
            self._answered = response.status_code, response.json()

    def answered(self) -> tuple[int, dict[str, Any]] | None:
        """Status and body, or `None` when it was hung up on."""
        self._thread.join(PATIENT)
        return self._answered


@click.command()
@click.option("--requests", default=2_000, show_default=True)
@click.option("--kills", default=20, show_default=True, help="Of its actors.")
@click.option("--in-flight", default=200, show_default=True, help="Requests out.")
@click.option("--examples", default=600, show_default=True, help="Of the run.")
@click.option(
    "--model",
    default=STAND_IN,
    show_default=True,
    metavar="local/NAME",
    help="The model on this machine whose server is killed.",
)
@click.option("--seed", default=0, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def main(
    *,
    requests: int,
    kills: int,
    in_flight: int,
    examples: int,
    model: str,
    seed: int,
    as_json: bool,
) -> None:
    """Kill a daemon's parts under load, and daemons in the middle of a run."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as home:
        survived = under_load(
            Path(home),
            requests=requests,
            kills=kills,
            in_flight=in_flight,
            seed=seed,
            model=model,
        )
    with tempfile.TemporaryDirectory() as home:
        went_on = killed_run(Path(home), examples=examples, kills=3, ended=2)
    struck = len(survived.fired) >= kills and survived.servers_killed > 0
    sound = struck and survived.is_sound and went_on.is_sound
    told: dict[str, Any] = {
        "load": asdict(survived),
        "run": asdict(went_on),
        "seconds": round(time.monotonic() - began, 1),
        "sound": sound,
    }
    lines = [f"{name}: {value}" for name, value in told.items()]
    click.echo(json.dumps(told) if as_json else "\n".join(lines))
    raise SystemExit(not sound)


if __name__ == "__main__":
    main()
