"""`dspex.status()`: what runs in this process, at one moment."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from dspex.cache.statistics import CacheStatistics
from dspex.client.gate import GateState
from dspex.client.options import LaneView
from dspex.core.elements import element, written
from dspex.core.home import home
from dspex.core.rich_text import as_rich
from dspex.core.safe_text import safe_text
from dspex.core.spoken import duration
from dspex.evaluate.running.live import LiveRun, live_runs
from dspex.runtime.looking import ProviderLook, RuntimeLook, look_at
from dspex.runtime.runtime import present_runtime
from supervisors import draw

ANSWER_WITHIN: Final = 1.0
"""Seconds all actors together may take to answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveLook:
    """A run or a study at one moment."""

    name: str
    """Its name, for `dspex.load_run` and the command line."""
    kind: str
    """`evaluation`, or the name of the optimiser whose study it is."""
    state: str
    """`running`, `paused`, `held` while what all need is away, or `ending`."""
    progress: str
    """How far it is, in a few words."""

    def __str__(self) -> str:
        return f"{self.kind} {self.name}: {self.state}, {self.progress}"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Status:
    """What runs in this process, at one moment. Printed, it is the tree and more.

    In a notebook it draws itself, and rich shows its text.
    """

    runtime: RuntimeLook | None
    """The runtime of the context it was asked in; `None` when none was made yet."""
    runs: tuple[LiveLook, ...] = ()
    """Evaluations and studies of this process that have not ended."""
    home: Path
    """Where files go."""

    @property
    def state(self) -> str:
        """`running`, `not started`, `given up`, `closed`, or `none` without one."""
        return "none" if self.runtime is None else self.runtime.state

    @property
    def providers(self) -> tuple[ProviderLook, ...]:
        """The providers that were called."""
        return () if self.runtime is None else self.runtime.providers

    @property
    def cache(self) -> CacheStatistics | None:
        """What the memory of the cache counts; `None` when nobody told."""
        return None if self.runtime is None else self.runtime.cache

    @property
    def silent(self) -> tuple[str, ...]:
        """The names of the actors that did not answer in time."""
        return () if self.runtime is None else self.runtime.silent

    def __str__(self) -> str:
        return "\n".join(safe_text(line, keep="") for line in self._lines())

    def __repr__(self) -> str:
        return f"<dspex.Status {', '.join(self._headline())}>"

    def __rich__(self) -> Any:
        return as_rich(str(self))

    def _repr_html_(self) -> str:
        return written(element("pre", str(self)))

    def _headline(self) -> Iterator[str]:
        yield "nothing runs" if self.state in ("none", "not started") else self.state
        look = self.runtime
        if look is not None and look.tree is not None:
            yield _count(look.tree.total_restarts, "restart")
            yield _count(len(look.providers), "provider")
        if self.runs:
            yield _count(len(self.runs), "run")
        if self.silent:
            yield f"{len(self.silent)} silent"

    def _lines(self) -> Iterator[str]:
        yield f"status: {', '.join(self._headline())}"
        look = self.runtime
        if look is not None and look.tree is not None:
            yield from draw(look.tree).splitlines()
            for provider in look.providers:
                yield from _provider_lines(provider)
            if look.cache is not None:
                yield f"cache: {_cache_words(look.cache)}"
        for run in self.runs:
            yield str(run)
        if self.silent:
            yield f"no answer from: {', '.join(self.silent)}"
        yield f"files: {self.home}"


def status(timeout: float = ANSWER_WITHIN) -> Status:
    """Look at what runs in this process; nothing is started by it.

    It answers while actors are stuck: the tree is drawn without asking them, and
    whoever does not answer in time is named under `silent`.

    Args:
        timeout: Seconds all actors together may take to answer.

    Example:
        >>> print(status())  # doctest: +ELLIPSIS
        status: ...
        files: ...
    """
    runtime = present_runtime()
    look = None if runtime is None else look_at(runtime, timeout)
    chosen = None if runtime is None else runtime.config.home
    return Status(
        runtime=look,
        runs=tuple(_looked_at(run) for run in live_runs()),
        home=chosen or home(),
    )


def _looked_at(run: LiveRun) -> LiveLook:
    return LiveLook(
        name=run.name, kind=run.kind, state=run.state, progress=run.progress
    )


def _provider_lines(provider: ProviderLook) -> Iterator[str]:
    view = provider.view
    if view is None:
        yield f"{provider.label}: not known"
        return
    calls = _count(view.open_calls, "open call")
    yield f"{provider.label}: {calls}, {view.in_flight:,} of them out"
    for lane in view.lanes:
        yield f"  {lane.model}: {', '.join(_lane_words(lane))}"


def _lane_words(lane: LaneView) -> Iterator[str]:
    gate, limits = lane.gate, lane.limits
    yield f"breaker {gate.state.value}"
    if gate.state is not GateState.CLOSED and gate.retry_in is not None:
        held = math.isinf(gate.retry_in)
        yield "held open by hand" if held else f"next try in {duration(gate.retry_in)}"
    if gate.failures:
        yield f"{_count(gate.failures, 'failure')} in a row"
    if lane.queued:
        yield f"{lane.queued:,} waiting"
    if limits.paused_for:
        yield f"paused by the provider for {duration(limits.paused_for)}"


def _cache_words(cache: CacheStatistics) -> str:
    return (
        f"{_count(cache.size, 'answer')} in memory, {_count(cache.hits, 'hit')}, "
        f"{cache.misses:,} asked, {cache.shared:,} shared"
    )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
