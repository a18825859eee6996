"""An application's own OpenTelemetry SDK, that keeps what it is given."""

from __future__ import annotations

from typing import Any

from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import (
    InMemoryLogRecordExporter,
    SimpleLogRecordProcessor,
)
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from dspex.telemetry.opentelemetry import instrument


class Sdk:
    """What an application sets up."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.tracers = TracerProvider()
        self.tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.reader = InMemoryMetricReader()
        self.meters = MeterProvider(metric_readers=[self.reader])
        self.logs: Any = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call] # the SDK's
        self.loggers = LoggerProvider()
        self.loggers.add_log_record_processor(SimpleLogRecordProcessor(self.logs))

    def instrument(self, *, capture_content: bool = False) -> Any:
        """Have dspex record here."""
        return instrument(
            self.tracers,
            self.meters,
            logger_provider=self.loggers,
            capture_content=capture_content,
        )

    @property
    def spans(self) -> tuple[Any, ...]:
        """The spans that have ended."""
        return self.exporter.get_finished_spans()

    def named(self, beginning: str) -> list[Any]:
        """The spans whose name begins so."""
        return [span for span in self.spans if span.name.startswith(beginning)]

    def ancestors(self, span: Any) -> list[str]:
        """The names of the spans around one, the closest first."""
        by_id = {each.context.span_id: each for each in self.spans}
        found = []
        while span.parent is not None:
            span = by_id[span.parent.span_id]
            found.append(span.name)
        return found

    def figures(self) -> dict[str, Any]:
        """The points of each metric, by its name."""
        data = self.reader.get_metrics_data()
        if data is None:
            return {}
        metrics = data.resource_metrics[0].scope_metrics[0].metrics
        return {metric.name: list(metric.data.data_points) for metric in metrics}

    def all_said(self) -> str:
        """Every span and every figure as a text."""
        metrics = self.reader.get_metrics_data()
        told = "" if metrics is None else metrics.to_json()
        return "".join(span.to_json() for span in self.spans) + told
