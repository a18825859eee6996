"""Figures for Prometheus, in a registry of their own: `metrics_page()` is the page.

Counting begins with `instrument()`, or with the first page. Labels have few values:
provider, model and outcome, and beyond 100 models all others are "other".
"""

from __future__ import annotations

import os
import threading
from typing import Any, Final

from dspex.core.errors import ConfigurationError
from dspex.core.events import BREAKER_OPEN
from dspex.telemetry.counting import Figures
from dspex.telemetry.handlers import attach_many, detach
from supervisors.events import CHILD_RESTART

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
"""What a server says the page is."""
_ID: Final = "dspex.telemetry.prometheus"


class _Process:
    """The figures of this process, once somebody wants them."""

    def __init__(self) -> None:
        # Protects their making, which two threads may want at once.
        self._lock = threading.Lock()
        self._figures: Figures | None = None

    def figures(self) -> Figures:
        with self._lock:
            if self._figures is None:
                self._figures = Figures(_client())
                wanted = (BREAKER_OPEN[:1], CHILD_RESTART)
                attach_many(_ID, wanted, self._figures)
            return self._figures

    def forget(self) -> None:
        with self._lock:
            detach(_ID)
            self._figures = None

    def forked(self) -> None:
        """In a child: what is under way is so in the parent, and ends there."""
        self._lock = threading.Lock()
        if self._figures is not None:
            self._figures.forget_open()


_process = _Process()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_process.forked)


def instrument() -> Any:
    """Count from now on; the `CollectorRegistry`, for those who serve a page already.

    Called again, it returns the same registry.

    Raises:
        ConfigurationError: The extra is missing.
    """
    return _process.figures().registry


def uninstrument() -> None:
    """Count no more, and forget what was counted."""
    _process.forget()


def metrics_page(*, with_process: bool = False) -> bytes:
    """The page in Prometheus's text format; its content type is `CONTENT_TYPE`.

    What is there now (queues, mailboxes) is that of this context's runtime. Clients
    that are busy for longer than a second are left out.

    Args:
        with_process: Whether the figures of this process are on it too, under the
            names that `prometheus_client` gives them: memory, open files, processor
            time, Python's version. Your own page may have them already.

    Raises:
        ConfigurationError: The extra is missing.
    """
    client = _client()
    figures = _process.figures()
    figures.look()
    page: bytes = client.generate_latest(figures.registry)
    if with_process:
        around = client.CollectorRegistry()
        client.ProcessCollector(registry=around)
        client.PlatformCollector(registry=around)
        page += client.generate_latest(around)
    return page


def _client() -> Any:
    try:
        import prometheus_client
    except ImportError as error:
        raise ConfigurationError(
            "prometheus_client is not installed; it is needed for a page of metrics. "
            "Install it with: pip install 'dspex[prometheus]'"
        ) from error
    return prometheus_client
