"""The process around a service: its start, its signals, its reloads and its end.

It is the main program of its process, and the only place in dspex that installs signal
handlers or talks to a service manager. The sockets live on the loop of the main thread,
outside of the tree, so that nothing that is killed there hangs up on anybody.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from math import inf
from typing import Any, cast

from aiohttp import web

from dspex.control.asking import side_by_side
from dspex.core import defaults
from dspex.core.errors import ConfigurationError, RuntimeClosedError
from dspex.evaluate.running.live import LiveRun, live_runs
from dspex.programs.settings import context
from dspex.runtime.config import Config
from dspex.runtime.runtime import Runtime
from dspex.serve.chronicle import write_chronicle
from dspex.serve.connections import Connections, most_connections
from dspex.serve.health import Health
from dspex.serve.listening import Place
from dspex.serve.logs import http_logger
from dspex.serve.notify import Notifier, watchdog_interval
from dspex.serve.pages import metrics_pages, watching_pages
from dspex.serve.reload import Reloading
from dspex.serve.service import Service
from dspex.serve.signals import Signals
from dspex.serve.terms import Terms
from supervisors import ExitReason
from supervisors.log import logger

_LAST_WORDS = 5.0
"""Seconds in which answers that are made are written, at the end."""
_RUNS_WITHIN = 5.0
"""Seconds that a run may take to end in order; its record is good without that too."""

Programs = Mapping[str, Callable[..., Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What a daemon serves and works by, read and checked."""

    programs: Programs
    """The programs by name."""
    config: Config = field(default_factory=Config)
    """The runtime's configuration."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What programs run under, such as `lm`."""
    terms: Terms = field(default_factory=Terms.of)
    """What requests are held to."""
    drain_within: float = defaults.DRAIN_WITHIN
    """Seconds it answers what it has accepted, once it is asked to end."""

    def __post_init__(self) -> None:
        if not 0 <= self.drain_within < inf:
            raise ConfigurationError(
                f"drain_within is {self.drain_within!r}; expected seconds, 0 or more. "
                "Leave it out for the default."
            )


class Daemon:
    """Serves until a signal comes. Made in the main thread of its process.

    Args:
        load: Reads everything, at the start and at each reload; raises a `DspexError`
            when something is wrong with it.
        place: Where it listens. A reload does not change that.
        announce: Told the address, once it serves.
        environ: The environment of the process, where its service manager says how it
            wants to be told things.
        wants_reload: Whether everything is to be read once more, once it is heard by
            itself who wants that.

    Raises:
        DspexError: Something is wrong with what it is to serve.
    """

    def __init__(
        self,
        load: Callable[[], Loaded],
        *,
        place: Place,
        announce: Callable[[str, Programs], object],
        environ: Mapping[str, str],
        wants_reload: Callable[[], bool] = lambda: False,
    ) -> None:
        self._wants_reload = wants_reload
        self._place = place
        self._announce = announce
        self._notifier = Notifier.from_environment(environ)
        self._watchdog = watchdog_interval(environ, os.getpid())
        loaded = load()
        self._runtime = Runtime(loaded.config)
        self._health = Health(self._runtime)
        write_chronicle(self._runtime.events)
        with context(**loaded.settings):
            self._service = Service(loaded.programs, runtime=self._runtime)
            self._prepared(loaded)()
        self._drain_within = loaded.drain_within
        self._load = load
        self._address = ""

    def run(self) -> None:
        """Serve, and return when a signal has ended that.

        Raises:
            ConfigurationError: Nobody can listen there.
            RuntimeClosedError: The tree gave up.
        """
        try:
            asyncio.run(self._run())
        finally:
            self._health.close()
            self._runtime.close()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        over: asyncio.Future[int | ExitReason] = loop.create_future()

        def end(why: int | ExitReason) -> None:
            if not over.done():
                over.set_result(why)

        reloading = Reloading(
            read=self._load,
            swap=self._swap,
            on_begin=self._notifier.reloading,
            on_end=lambda: self._notifier.ready(self._status(reloading)),
        )
        signals = Signals(
            on_end=lambda number: loop.call_soon_threadsafe(end, number),
            on_reload=lambda: loop.call_soon_threadsafe(reloading.wish),
        )
        async with AsyncExitStack() as stack:
            stack.enter_context(signals)
            if self._wants_reload():
                reloading.wish()
            root = await asyncio.to_thread(self._runtime.start)
            root.ref().monitor(lambda why: _tell(loop, end, why))
            await self._open(stack)
            await stack.enter_async_context(_Chore(self._feed_watchdog()))
            # Whoever is about to end begins nothing anew, and says so no more.
            async with _Chore(reloading.run()):
                why = await over
            if isinstance(why, int):
                logger("dspex").info("asked to end", signal=why)
            else:
                logger("dspex").error("the tree gave up", reason=str(why))
            await self._drain()
            if not isinstance(why, int):
                raise RuntimeClosedError(
                    f"the tree of the daemon gave up: {why}. The log says what died "
                    "before; start the daemon again."
                )

    async def _open(self, stack: AsyncExitStack) -> None:
        """Listen, and say so."""
        self._service.add_routes(watching_pages(self._health))
        # It tells what is asked for and how often, which is for those with a token.
        self._service.add_routes(metrics_pages(self._runtime), needs_token=True)
        app = self._service.app()
        runner = web.AppRunner(
            app,
            access_log=None,
            logger=http_logger(),
            shutdown_timeout=_LAST_WORDS,
            auto_decompress=False,
        )
        most = most_connections()
        connections = Connections(lambda: cast("web.Server", runner.server), most=most)
        app.middlewares.insert(0, connections.at_work())
        stack.push_async_callback(runner.cleanup)
        await runner.setup()
        # Those that there is no room for are closed some three rounds later, and there
        # are files for them, too.
        listening = await self._place.open(connections, at_once=most // 8)
        stack.callback(listening.close)
        await stack.enter_async_context(_Chore(connections.tend()))
        address = listening.address
        self._address = address
        self._announce(address, self._service.programs)
        self._notifier.ready(f"serving at {address}")
        logger("dspex").info("serving", address=address, pid=os.getpid())

    def _status(self, reloading: Reloading[Loaded]) -> str:
        """What a person reads of it after a reload."""
        refused = "; the last reload was refused, and the log says why"
        return f"serving at {self._address}{refused if reloading.was_refused else ''}"

    async def _drain(self) -> None:
        """Take no more, answer what was accepted, and close the tree.

        Whoever still waits at the deadline is answered as well: the end of the tree
        is an error like any other.
        """
        within = self._drain_within
        longest = within + _RUNS_WITHIN + defaults.CLOSE_WITHIN + _LAST_WORDS
        self._health.draining = True
        self._service.begin_draining()
        left = self._service.in_flight
        self._notifier.stopping(f"answering {left} requests", within=longest)
        drained = asyncio.ensure_future(self._service.drained())
        if not (await asyncio.wait({drained}, timeout=within))[0]:
            drained.cancel()
            left = self._service.in_flight
            logger("dspex").warning("given up at the deadline", requests=left)
        await asyncio.to_thread(_stop_runs)
        await asyncio.to_thread(self._runtime.close)
        logger("dspex").info("ended")

    def _prepared(self, loaded: Loaded) -> Callable[[], None]:
        """Check what is to be served; what is returned puts it in place."""
        return self._service._prepared(loaded.programs, loaded.terms)  # noqa: SLF001 - nobody else swaps two things at once

    async def _swap(self, loaded: Loaded) -> None:
        """Work by something else from now on; requests under way keep the old.

        What may be refused comes first, so that it is all or nothing.
        """
        with context(**loaded.settings):
            put = self._prepared(loaded)
        # It asks every client, which must not hold the loop up.
        await asyncio.to_thread(self._runtime.reconfigure, loaded.config)
        put()
        self._drain_within = loaded.drain_within

    async def _feed_watchdog(self) -> None:
        """Tell the manager that all is well, each time the root has answered."""
        if self._watchdog is None:
            return
        while True:
            trouble = await self._health.root_trouble()
            if trouble is None:
                self._notifier.alive()
            else:
                logger("dspex").error("the root does not answer", reason=trouble)
            await asyncio.sleep(self._watchdog)


def _stop_runs() -> None:
    """End the runs of this process in order, so that each can be gone on with."""
    # What belongs to a study is ended with it.
    side_by_side(_stop, [run for run in live_runs() if run.part_of is None])


def _stop(run: LiveRun) -> None:
    ended = run.stop(within=_RUNS_WITHIN)
    logger("dspex").info("run stopped", run=run.name, ended=ended)


class _Chore:
    """Work on the loop that goes on for a block; what it raises ends nothing."""

    def __init__(self, work: Coroutine[Any, Any, None]) -> None:
        self._work = work

    async def __aenter__(self) -> None:
        self._task = asyncio.create_task(self._work)
        self._task.add_done_callback(_tell_of_end)

    async def __aexit__(self, *exc_info: object) -> None:
        self._task.cancel()
        await asyncio.wait({self._task})


def _tell_of_end(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        logger("dspex").error("a chore of the daemon has ended", exc_info=error)


def _tell(
    loop: asyncio.AbstractEventLoop,
    end: Callable[[ExitReason], None],
    why: ExitReason,
) -> None:
    # The loop is closed when the tree was ended by the daemon itself.
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(end, why)
