"""The handler that counts events, and the look at what stands at one moment."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final

from dspex.core import events as names
from dspex.core.errors import RuntimeClosedError
from dspex.runtime.runtime import present_runtime
from supervisors import Event
from supervisors.events import CHILD_RESTART

MOST_MODELS: Final = 100
"""Models that have figures of their own."""
BUCKETS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 600.0)
"""Seconds of a request."""
_BREAKER: Final[Mapping[tuple[str, ...], int]] = {
    names.BREAKER_CLOSE: 0,
    names.BREAKER_HALF_OPEN: 1,
    names.BREAKER_OPEN: 2,
}


class Figures:
    """All figures, in a registry of their own.

    Args:
        client: The module `prometheus_client`.
    """

    def __init__(self, client: Any) -> None:
        self.registry = registry = client.CollectorRegistry()
        whom = ("provider", "model")

        def counter(name: str, told: str, labels: tuple[str, ...] = ()) -> Any:
            return client.Counter(f"dspex_{name}", told, labels, registry=registry)

        def gauge(name: str, told: str, labels: tuple[str, ...] = ()) -> Any:
            return client.Gauge(f"dspex_{name}", told, labels, registry=registry)

        self._requests = counter("requests", "Questions to models.", (*whom, "outcome"))
        self._duration = client.Histogram(
            "dspex_request_duration_seconds",
            "Seconds of a question, waiting and retries included; none from the cache.",
            whom,
            buckets=BUCKETS,
            registry=registry,
        )
        self._tokens = counter("tokens", "Tokens paid for.", (*whom, "kind"))
        self._cost = counter("cost_dollars", "Dollars by the price table.", whom)
        self._in_flight = gauge("requests_in_flight", "Questions under way.", whom)
        self._breaker = gauge(
            "breaker_state", "0 is closed, 1 half open, 2 open.", whom
        )
        self._cache = counter("cache_lookups", "Looks into the cache.", ("outcome",))
        self._restarts = counter("restarts", "Restarts of any part.")
        self._runs = gauge("runs", "Evaluations under way.")
        self._examples = counter("examples", "Attempts at examples.", ("outcome",))
        self._served = counter(
            "served_requests", "Requests to programs.", ("program", "status")
        )
        self._serving = gauge(
            "served_requests_in_flight", "Requests of a service under way."
        )
        self._served_in = client.Histogram(
            "dspex_served_request_duration_seconds",
            "Seconds of a request to a program.",
            ("program",),
            buckets=BUCKETS,
            registry=registry,
        )
        self._queue = gauge(
            "calls_held", "Open calls, by what holds them.", ("provider", "held_by")
        )
        self._mailboxes = gauge(
            "mailbox_messages", "Messages waiting, by kind of actor.", ("kind",)
        )
        self._models: set[tuple[str, str]] = set()
        # What has begun since the counting began: the end of nothing else is counted
        # down. Each change is one step.
        self._open: set[str] = set()
        self._begun: set[str] = set()
        self._let_in: set[str] = set()
        self._steps: Mapping[tuple[str, ...], Callable[[Event], None]] = {
            names.LM_REQUEST_START: self._asks,
            names.LM_REQUEST_STOP: self._answered,
            names.LM_REQUEST_EXCEPTION: self._failed,
            names.BREAKER_OPEN: self._moved,
            names.BREAKER_HALF_OPEN: self._moved,
            names.BREAKER_CLOSE: self._moved,
            names.CACHE_HIT: lambda _event: self._cache.labels("hit").inc(),
            names.CACHE_MISS: lambda _event: self._cache.labels("miss").inc(),
            names.RUN_START: self._run_begins,
            names.RUN_STOP: self._run_ends,
            names.EXAMPLE_STOP: self._scored,
            names.SERVE_REQUEST_START: self._lets_in,
            names.SERVE_REQUEST_STOP: self._answered_off,
            CHILD_RESTART: lambda _event: self._restarts.inc(),
        }

    def __call__(self, event: Event) -> None:
        """Count an event, if it is one that is counted."""
        step = self._steps.get(event.name)
        if step is not None:
            step(event)

    def look(self) -> None:
        """Take what stands now in the runtime of this context, if one runs."""
        self._queue.clear()
        self._mailboxes.clear()
        runtime = present_runtime()
        if runtime is None or runtime.state != "running":
            return
        # It may be closed between the two.
        with contextlib.suppress(RuntimeClosedError):
            waiting: Counter[str] = Counter()
            for node in runtime.tree().walk():
                waiting[node.kind] += node.mailbox
            for kind, count in waiting.items():
                self._mailboxes.labels(kind).set(count)
            for standing in runtime.standings():
                held = Counter(call.held_by.value for call in standing.calls)
                provider = standing.label.partition(" ")[0].partition("/")[0]
                for held_by, count in held.items():
                    self._queue.labels(provider, held_by).inc(count)

    def forget_open(self) -> None:
        """Show nothing as under way; what was counted stays."""
        self._open.clear()
        self._begun.clear()
        self._let_in.clear()
        self._in_flight.clear()
        self._runs.set(0)
        self._serving.set(0)

    def _whom(self, provider: str, model: str) -> tuple[str, str]:
        whom = (provider, model)
        if whom not in self._models:
            if len(self._models) >= MOST_MODELS:
                return provider, "other"
            self._models.add(whom)
        return whom

    def _asked(self, event: Event) -> tuple[str, str]:
        known = event.metadata
        return self._whom(known["provider"], known["request"].model)

    def _asks(self, event: Event) -> None:
        self._open.add(event.metadata["span"])
        self._in_flight.labels(*self._asked(event)).inc()

    def _ends(self, event: Event) -> None:
        if event.metadata["span"] in self._open:
            self._open.discard(event.metadata["span"])
            self._in_flight.labels(*self._asked(event)).dec()

    def _run_begins(self, event: Event) -> None:
        self._begun.add(event.metadata["run"])
        self._runs.set(len(self._begun))

    def _run_ends(self, event: Event) -> None:
        self._begun.discard(event.metadata["run"])
        self._runs.set(len(self._begun))

    def _answered(self, event: Event) -> None:
        whom, measured = self._asked(event), event.measurements
        self._ends(event)
        if event.metadata["cache"] == "hit":
            self._requests.labels(*whom, "cached").inc()
            return
        self._requests.labels(*whom, "answered").inc()
        self._duration.labels(*whom).observe(measured["seconds"])
        self._tokens.labels(*whom, "input").inc(measured["input_tokens"])
        self._tokens.labels(*whom, "output").inc(measured["output_tokens"])
        self._cost.labels(*whom).inc(measured.get("cost", 0.0))

    def _failed(self, event: Event) -> None:
        whom = self._asked(event)
        self._ends(event)
        self._requests.labels(*whom, "failed").inc()
        self._duration.labels(*whom).observe(event.measurements["seconds"])

    def _moved(self, event: Event) -> None:
        known = event.metadata
        whom = self._whom(known["provider"], known["model"])
        self._breaker.labels(*whom).set(_BREAKER[event.name])

    def _scored(self, event: Event) -> None:
        self._examples.labels(event.metadata["outcome"].kind.value).inc()

    def _lets_in(self, event: Event) -> None:
        self._let_in.add(event.metadata["span"])
        self._serving.set(len(self._let_in))

    def _answered_off(self, event: Event) -> None:
        self._let_in.discard(event.metadata["span"])
        self._serving.set(len(self._let_in))
        # Of what is no program there are as many names as anybody makes up.
        program = event.metadata["program"] or "none"
        status = event.metadata["status"] or "none"
        self._served.labels(program, status).inc()
        self._served_in.labels(program).observe(event.measurements["seconds"])
