"""The handler that makes spans and figures of events, for OpenTelemetry.

A span is made current in the context in which its event is told, which is that of the
call. So what the call does is below it, in worker threads and loops too: they run in
copies of that context. The requests are told in the client's thread, in the context
that the call has brought there. When a span ends, what was current before is so again.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from dspex.core import events as names
from dspex.core.lm import Reply, Request
from dspex.telemetry import gen_ai, http
from dspex.telemetry.spoken import answered_turns, asked_turns
from supervisors import Event

MOST_OPEN: Final = 10_000
"""Spans that may be open: those of workers that were killed are never ended."""
_STEP: Final = "dspex.step"
"""Where a context keeps the step that was made into it."""


@dataclass(slots=True)
class _Step:
    """One span that was made current."""

    owner: Recorder
    """Whose span it is."""
    span: Any
    """The span."""
    before: Any
    """The context that was current until then."""
    here: Any = None
    """The context in which the span is current."""
    is_over: bool = False
    """Whether the span has ended."""


class Recorder:
    """Makes spans and figures.

    Args:
        tracer: Makes spans.
        meter: Makes figures.
        logger: Takes results of evaluations.
        capture_content: Whether spans hold prompts and answers.
    """

    def __init__(
        self, *, tracer: Any, meter: Any, logger: Any, capture_content: bool
    ) -> None:
        self._tracer = tracer
        self._logger = logger
        self._captures = capture_content
        self._duration = meter.create_histogram(
            gen_ai.DURATION,
            unit="s",
            description="Duration of an operation, retries included.",
            explicit_bucket_boundaries_advisory=gen_ai.DURATION_BUCKETS,
        )
        self._tokens = meter.create_histogram(
            gen_ai.TOKENS,
            unit="{token}",
            description="Tokens of an operation.",
            explicit_bucket_boundaries_advisory=gen_ai.TOKEN_BUCKETS,
        )
        self._served_in = meter.create_histogram(
            http.DURATION,
            unit="s",
            description="Duration of a request to a service.",
            explicit_bucket_boundaries_advisory=http.DURATION_BUCKETS,
        )
        # Each change is one step, so threads need no lock.
        self._open: OrderedDict[str, _Step] = OrderedDict()
        self._ended: Callable[[], object] | None = None
        self._steps: Mapping[tuple[str, ...], Callable[[Event], None]] = {
            names.PROGRAM_START: lambda event: self._call(event, "program"),
            names.TOOL_START: lambda event: self._call(event, "execute_tool"),
            names.EVALUATE_START: lambda event: self._call(event, "evaluate"),
            names.COMPILE_START: lambda event: self._call(event, "compile"),
            names.LM_REQUEST_START: self._asked,
            names.LM_REQUEST_STOP: self._answered,
            names.LM_REQUEST_EXCEPTION: self._failed,
            names.LM_ATTEMPT_STOP: self._attempt,
            names.LM_ATTEMPT_EXCEPTION: self._attempt,
            names.EXAMPLE_START: self._example,
            names.EXAMPLE_STOP: self._scored,
            names.SERVE_REQUEST_START: self._served,
            names.SERVE_REQUEST_STOP: self._served_off,
            names.PROGRAM_STOP: self._end,
            names.PROGRAM_EXCEPTION: self._end,
            names.TOOL_STOP: self._end,
            names.TOOL_EXCEPTION: self._end,
            names.EVALUATE_STOP: self._end,
            names.EVALUATE_EXCEPTION: self._end,
            names.COMPILE_STOP: self._end,
            names.COMPILE_EXCEPTION: self._end,
        }

    def __call__(self, event: Event) -> None:
        """Record an event, if it is one that is recorded."""
        step = self._steps.get(event.name)
        if step is None:
            return
        ended = self._ended
        if ended is None:
            step(event)
            return
        if event.metadata.get("span") in self._open:
            step(event)
        if not self._open:
            ended()

    def end(self, ended: Callable[[], object]) -> None:
        """Begin no span any more, and call `ended` once those that are open have ended.

        A call that is under way would else go on below a span that nobody ever sees.
        """
        self._ended = ended
        if not self._open:
            ended()

    # Spans.

    def _begin(
        self,
        event: Event,
        name: str,
        known: Mapping[str, Any],
        *,
        kind: str = "INTERNAL",
        around: Any = None,
    ) -> None:
        from opentelemetry import context, trace

        span = self._tracer.start_span(
            name,
            self._around() if around is None else around,
            kind=trace.SpanKind[kind],
            attributes=known,
        )
        step = _Step(self, span, context.get_current())
        step.here = context.set_value(_STEP, step, trace.set_span_in_context(span))
        context.attach(step.here)
        self._open[event.metadata["span"]] = step
        while len(self._open) > MOST_OPEN:
            _, oldest = self._open.popitem(last=False)
            oldest.is_over = True
            oldest.span.end()

    def _end(
        self,
        event: Event,
        more: Mapping[str, Any] | None = None,
        *,
        has_failed: bool = False,
    ) -> None:
        step = self._open.pop(event.metadata["span"], None)
        if step is None:
            return
        step.is_over = True
        _step_back()
        step.span.set_attributes(more or {})
        _mark(step.span, event.metadata.get("error"), has_failed=has_failed)
        step.span.end()

    def _around(self) -> Any:
        """The context to begin a span in: without what other recorders put on top."""
        from opentelemetry import context

        now = context.get_current()
        while (step := _step_into(now)) is not None and step.owner is not self:
            now = step.before
        return now

    def _call(self, event: Event, word: str) -> None:
        name = event.metadata["name"]
        known = {"dspex.name": name}
        if word == "execute_tool":
            known = {gen_ai.OPERATION: word, gen_ai.TOOL_NAME: name}
        self._begin(event, f"{word} {name}", known)

    # Models.

    def _asked(self, event: Event) -> None:
        request: Request = event.metadata["request"]
        known = _whom(event)
        for setting, name in gen_ai.SETTINGS.items():
            value = request.settings.get(setting)
            if isinstance(value, int | float):
                known[name] = value
        if known.get(gen_ai.CHOICES) == 1:
            del known[gen_ai.CHOICES]
        if stop := request.settings.get("stop"):
            known[gen_ai.STOP] = [stop] if isinstance(stop, str) else list(stop)
        if event.metadata["stream"]:
            known[gen_ai.STREAM] = True
        if self._captures:
            known[gen_ai.INPUT_MESSAGES] = asked_turns(request)
        title = f"{known[gen_ai.OPERATION]} {request.model}"
        self._begin(event, title, known, kind="CLIENT")

    def _answered(self, event: Event) -> None:
        reply: Reply = event.metadata["reply"]
        usage = reply.usage
        more: dict[str, Any] = {
            gen_ai.INPUT_TOKENS: usage.prompt_tokens,
            gen_ai.OUTPUT_TOKENS: usage.completion_tokens,
            gen_ai.CACHE_READ_TOKENS: usage.cached_tokens,
            gen_ai.CACHE_CREATION_TOKENS: usage.cache_write_tokens,
            gen_ai.REASONING_TOKENS: usage.reasoning_tokens,
            gen_ai.FINISH_REASONS: reply.finish_reasons,
            "dspex.cache": event.metadata["cache"],
            "dspex.attempts": reply.attempts,
        }
        if reply.model:
            more[gen_ai.RESPONSE_MODEL] = reply.model
        if reply.request_id is not None:
            more[gen_ai.RESPONSE_ID] = reply.request_id
        if self._captures:
            more[gen_ai.OUTPUT_MESSAGES] = answered_turns(reply)
        if not reply.cached:
            self._measured(event, reply)
        self._end(event, more)

    def _measured(self, event: Event, reply: Reply) -> None:
        whom = _whom(event)
        if reply.model:
            whom[gen_ai.RESPONSE_MODEL] = reply.model
        self._duration.record(event.measurements["seconds"], whom)
        counts = {"input": reply.usage.prompt_tokens}
        if whom[gen_ai.OPERATION] != "embeddings":
            counts["output"] = reply.usage.completion_tokens
        for kind, count in counts.items():
            self._tokens.record(count, {**whom, gen_ai.TOKEN_TYPE: kind})

    def _failed(self, event: Event) -> None:
        error = {gen_ai.ERROR_TYPE: type(event.metadata["error"]).__name__}
        self._duration.record(event.measurements["seconds"], {**_whom(event), **error})
        self._end(event)

    def _attempt(self, event: Event) -> None:
        record = event.metadata["record"]
        now = time.time_ns()
        span = self._tracer.start_span(
            f"attempt {record.number}",
            self._around(),
            start_time=now - int(event.measurements["seconds"] * 1e9),
            attributes={
                "dspex.attempt.fate": record.fate.value,
                "dspex.attempt.request_id": record.request_id,
            },
        )
        if event.metadata.get("status") is not None:
            span.set_attribute(gen_ai.STATUS_CODE, event.metadata["status"])
        _mark(span, event.metadata.get("error"))
        span.end(now)

    # Evaluations.

    def _example(self, event: Event) -> None:
        stamp = event.metadata["stamp"]
        known = {
            "dspex.run": stamp.run,
            "dspex.example": stamp.example,
            "dspex.trial": stamp.trial,
            "dspex.attempt": stamp.attempt,
        }
        self._begin(event, "evaluate example", known)

    def _scored(self, event: Event) -> None:
        from opentelemetry._logs import LogRecord

        outcome = event.metadata["outcome"]
        known: dict[str, Any] = {
            gen_ai.EVALUATION_NAME: "score",
            gen_ai.SCORE_LABEL: outcome.kind.value,
        }
        if outcome.score is not None:
            known[gen_ai.SCORE_VALUE] = float(outcome.score)
        # Before its span ends, so that it belongs to it.
        self._logger.emit(
            LogRecord(event_name=gen_ai.EVALUATION_RESULT, attributes=known)
        )
        self._end(event, {"dspex.outcome": outcome.kind.value})

    # Services.

    def _served(self, event: Event) -> None:
        told = http.asked(event)
        more = {"dspex.request": event.metadata["request"]}
        around = _sender_of(event.metadata["traceparent"])
        self._begin(event, http.title(told), told | more, kind="SERVER", around=around)

    def _served_off(self, event: Event) -> None:
        told = http.answered(event)
        self._served_in.record(event.measurements["seconds"], http.asked(event) | told)
        program = event.metadata["program"]
        named = {} if program is None else {"dspex.program": program}
        self._end(event, told | named, has_failed=http.has_failed(event))


def _sender_of(traceparent: str | None) -> Any:
    """The context of whoever sent a request; `None` where the header says nobody."""
    from opentelemetry import trace
    from opentelemetry.trace.propagation import tracecontext

    if traceparent is None:
        return None
    found = tracecontext.TraceContextTextMapPropagator().extract(
        {"traceparent": traceparent}
    )
    span = trace.get_current_span(found)
    return found if span.get_span_context().is_valid else None


def _whom(event: Event) -> dict[str, Any]:
    """Who is asked, in words that have few values."""
    known = event.metadata
    provider = known["provider"]
    whom: dict[str, Any] = {
        gen_ai.OPERATION: known["operation"],
        gen_ai.PROVIDER: gen_ai.PROVIDERS.get(provider, provider),
        gen_ai.REQUEST_MODEL: known["request"].model,
    }
    address = known["address"].partition(" ")[0]
    if address.startswith(("http://", "https://")):
        parts = urlsplit(address)
        if parts.hostname is not None:
            whom[gen_ai.SERVER_ADDRESS] = parts.hostname
            whom[gen_ai.SERVER_PORT] = parts.port or _PORTS[parts.scheme]
    return whom


_PORTS: Final = {"http": 80, "https": 443}


def _step_back() -> None:
    """Make current what was so before the spans that have ended.

    Not by OpenTelemetry's tokens: these hold only where spans end in the reverse order
    of their beginning, and several recorders that hear the same events end theirs in
    the same order.
    """
    from opentelemetry import context

    current = now = context.get_current()
    while (step := _step_into(now)) is not None and step.is_over:
        now = step.before
    if now is not current:
        context.attach(now)


def _step_into(now: Any) -> _Step | None:
    """The step that made a context; `None` where somebody else made it."""
    step = now.get(_STEP)
    return step if isinstance(step, _Step) and step.here is now else None


def _mark(span: Any, error: BaseException | None, *, has_failed: bool = False) -> None:
    """Say that a span ended by an error: of which class, and not its text."""
    from opentelemetry.trace import Status, StatusCode

    if error is not None:
        span.set_attribute(gen_ai.ERROR_TYPE, type(error).__name__)
    if error is not None or has_failed:
        span.set_status(Status(StatusCode.ERROR))
