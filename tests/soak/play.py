"""A daemon that answers, evaluates, reloads and loses actors, and what it has."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from dspex.testing import FakeProvider
from tests.actors.rows import answer
from tests.serve.running import RunningDaemon
from tests.soak.flat import Point, Trend, trend

CALLERS = 8
"""Callers that ask at a time."""
PAUSE = 0.05
"""Seconds between an answer and the caller's next question."""
QUESTIONS_A_SECOND = 5
MOST_QUESTIONS = 2_000
"""Different questions, fewer in a short time; a quarter of them fit into the cache of
memory, so it is full before the warm-up ends, and stays so."""
EVALUATE_EVERY = 50
"""Of so many requests, one evaluates."""
EXAMPLES = 20
"""What an evaluation works on."""
MEMORY_FROM = 120.0
"""Seconds from which on memory is judged; a shorter time is all warm-up."""

TUNABLES = "GLIBC_TUNABLES"
"""The variable that tells the C library how to allocate; others do not know it."""
KEEPS_NOTHING = "glibc.malloc.tcache_count=0:glibc.malloc.arena_max=1"
"""One heap for all threads, and nothing freed that a thread keeps for itself."""

ALLOWED = {
    "memory": (0.03, 3 * 1024 * 1024),
    "threads": (0.05, 8),
    "files": (0.05, 8),
}
"""Growth in the judged time that is taken for none: a share, or an amount.

A machine that becomes busy has some eight callers' threads and connections more in use
at a time. One that is left by each reload or kill is more than that in two minutes.
"""


@dataclass(slots=True)
class Soaked:
    """What a daemon came to that worked for long."""

    seconds: float
    answers: dict[str, int] = field(default_factory=dict)
    """How many requests had which answer."""
    evaluations: int = 0
    reloads: int = 0
    killed: dict[str, int] = field(default_factory=dict)
    """Actors killed, by name."""
    samples: dict[str, list[Point]] = field(default_factory=dict)
    """What was measured."""
    exit_code: int | None = None

    @property
    def trends(self) -> dict[str, Trend]:
        """How each of them went."""
        return {
            name: trend(points, share=ALLOWED[name][0], amount=ALLOWED[name][1])
            for name, points in self.samples.items()
        }

    @property
    def rising(self) -> list[str]:
        """What grows and is judged."""
        return [
            name
            for name, each in self.trends.items()
            if not each.is_flat and (name != "memory" or self.seconds >= MEMORY_FROM)
        ]

    @property
    def is_sound(self) -> bool:
        """Whether all was answered rightly, and nothing grows."""
        return set(self.answers) == {"right"} and not self.rising and not self.exit_code


def measured(process: int) -> dict[str, float]:
    """What a process has: resident bytes, threads, open files; empty where unknown."""
    place = Path(f"/proc/{process}")
    try:
        status = (place / "status").read_text("ascii", errors="replace")
        lines = dict(line.split(":", 1) for line in status.splitlines())
        return {
            "memory": float(lines["VmRSS"].split()[0]) * 1024,
            "threads": float(lines["Threads"]),
            "files": float(sum(1 for _ in (place / "fd").iterdir())),
        }
    except OSError:
        return {}


def soaked(
    home: Path, *, seconds: float, kill_every: float, reload_every: float
) -> Soaked:
    """Have a daemon work, and watch it."""
    told = Soaked(seconds=seconds)
    with FakeProvider(answer=answer, latency=0.01) as provider:
        place = _Place(home, provider.base_url, seconds)
        place.configure()
        programs = [
            f"tests.soak.served:{name}" for name in ("ask", "evaluated", "kill")
        ]
        environ = {TUNABLES: os.environ.get(TUNABLES, KEEPS_NOTHING)}
        with RunningDaemon(programs, home=home, environ=environ) as running:
            play = _Play(running, told, place)
            asyncio.run(play.run(kill_every, reload_every))
            told.exit_code = running.ends()
        told.reloads = sum('"reloaded"' in line for line in running.said)
    return told


class _Place:
    """Where the daemon finds its configuration, and how many questions there are."""

    def __init__(self, home: Path, url: str, seconds: float) -> None:
        self._home = home
        self._url = url
        wanted = round(seconds * QUESTIONS_A_SECOND)
        self.questions = max(8, min(MOST_QUESTIONS, wanted))
        self._numbers = itertools.count()

    def configure(self) -> None:
        """Write a configuration; each is another one."""
        text = f"""
            model = "openai/fake"
            api_base = "{self._url}"
            cache_entries = {self.questions // 4}
            max_outage = {20 + next(self._numbers) % 10}
        """
        (self._home / "dspex.toml").write_text(text, encoding="utf-8")


class _Play:
    """What happens to the daemon, on one loop."""

    def __init__(self, running: RunningDaemon, told: Soaked, place: _Place) -> None:
        self._running = running
        self._told = told
        self._place = place
        self._numbers = itertools.count()
        self._answers: Counter[str] = Counter()
        self._began = time.monotonic()

    async def run(self, kill_every: float, reload_every: float) -> None:
        """Go on for the time that was said."""
        every = self._told.seconds / 600
        async with (
            aiohttp.ClientSession(self._running.url) as self._session,
            asyncio.TaskGroup() as tasks,
        ):
            for _ in range(CALLERS):
                tasks.create_task(self._call())
            tasks.create_task(self._each(kill_every, self._kill))
            tasks.create_task(self._each(reload_every, self._reload))
            tasks.create_task(self._each(every, self._sample))
        self._told.answers = dict(self._answers)

    def _now(self) -> float:
        return time.monotonic() - self._began

    async def _each(self, every: float, act: Any) -> None:
        for number in itertools.count(1):
            await asyncio.sleep(max(0.0, number * every - self._now()))
            if self._now() >= self._told.seconds:
                return
            await act()

    async def _call(self) -> None:
        while self._now() < self._told.seconds:
            number = next(self._numbers)
            if number % EVALUATE_EVERY:
                question = number * 7 % self._place.questions
                expected: Any = {"answer": f"a{question}"}
                found = await self._post("/ask", question=f"q{question}")
            else:
                expected = {"score": 100.0, "complete": True}
                order = {"run": f"soak-{number}", "examples": EXAMPLES}
                found = await self._post("/evaluated", **order)
                self._told.evaluations += 1
            self._answers["right" if found == expected else str(found)[:200]] += 1
            await asyncio.sleep(PAUSE)

    async def _post(self, path: str, **inputs: Any) -> Any:
        async with self._session.post(path, json=inputs) as response:
            return await response.json()

    async def _kill(self) -> None:
        name = (await self._post("/kill")).get("killed", "")
        # An address in it is another one each time.
        name = name.rpartition("/")[2] or "nobody"
        self._told.killed[name] = self._told.killed.get(name, 0) + 1

    async def _reload(self) -> None:
        self._place.configure()
        self._running.send(signal.SIGHUP)

    async def _sample(self) -> None:
        now = self._now()
        for name, value in measured(self._running.process.pid).items():
            self._told.samples.setdefault(name, []).append((now, value))
