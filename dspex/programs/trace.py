"""What a call leaves behind: a step in the trace, and tokens in the usage trackers."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeAlias

from dspex.core.blocks import put_back
from dspex.core.lm import Reply, Usage
from dspex.core.prediction import Prediction
from dspex.programs.settings import in_force
from dspex.programs.usage_entries import (
    Entry,
    entry_of,
    plain_entry,
    sum_of,
    usage_of,
)

TraceStep: TypeAlias = tuple[Any, dict[str, Any], Prediction]
"""(predictor, inputs, prediction), as DSPy's metrics and optimisers expect it."""


class UsageTracker:
    """Keeps the tokens of calls, by model. Threads may share one."""

    def __init__(self) -> None:
        # Protects `_by_model`: threads of one evaluation add to one tracker.
        self._lock = threading.Lock()
        self._by_model: dict[str, list[Usage | Entry]] = {}

    def __repr__(self) -> str:
        spent = self.total().items()
        told = [f"{model!r}: {usage.total_tokens:,} tokens" for model, usage in spent]
        return f"<UsageTracker {', '.join(told) or 'nothing yet'}>"

    @property
    def usage_data(self) -> dict[str, list[Entry]]:
        """Every call's tokens in DSPy's shape, by model, in order; a copy."""
        return {
            model: [entry_of(one) if isinstance(one, Usage) else one for one in kept]
            for model, kept in self._kept().items()
        }

    def add(self, model: str, usage: Usage) -> None:
        """Add the tokens of one call."""
        self._keep(model, usage)

    def add_usage(self, lm: str, usage_entry: Mapping[str, Any]) -> None:
        """Add the tokens of one call in DSPy's shape; what it lacks counts as 0."""
        if usage_entry:
            self._keep(lm, plain_entry(usage_entry))

    def total(self) -> dict[str, Usage]:
        """Return the tokens so far, by model."""
        return {
            model: sum(
                (one if isinstance(one, Usage) else usage_of(one) for one in kept),
                Usage(),
            )
            for model, kept in self._kept().items()
        }

    def get_total_tokens(self) -> dict[str, dict[str, Any]]:
        """Return the tokens so far in DSPy's shape, with details where they came."""
        return {model: sum_of(entries) for model, entries in self.usage_data.items()}

    def _keep(self, model: str, entry: Usage | Entry) -> None:
        with self._lock:
            self._by_model.setdefault(model, []).append(entry)

    def _kept(self) -> dict[str, list[Usage | Entry]]:
        with self._lock:
            return {model: list(kept) for model, kept in self._by_model.items()}


_trackers: ContextVar[tuple[UsageTracker, ...]] = ContextVar("dspex_usage", default=())


@contextmanager
def track_usage() -> Iterator[UsageTracker]:
    """Add up the tokens of every call in a block, nested blocks included.

    It follows the context: threads that run in a copy of it are counted too.
    """
    tracker = UsageTracker()
    token = _trackers.set((*_trackers.get(), tracker))
    try:
        yield tracker
    finally:
        put_back(_trackers, token)


def record_usage(model: str, reply: Reply) -> None:
    """Add a reply's tokens to the trackers of this context.

    An answer from the cache has none, and leaves no entry.
    """
    if reply.cached:
        return
    for tracker in _trackers.get():
        tracker.add(model, reply.usage)


def record_step(
    predictor: Any, inputs: Mapping[str, Any], prediction: Prediction
) -> None:
    """Append a step to the trace of this context, if there is one.

    The oldest steps go when there are more than `max_trace_size`.
    """
    trace: list[TraceStep] | None = in_force("trace")
    if trace is None:
        return
    trace.append((predictor, dict(inputs), prediction))
    most: int = in_force("max_trace_size")
    if len(trace) > most:
        del trace[: len(trace) - most]
