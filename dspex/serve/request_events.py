"""What is told of a request, as events.

Told on the loop of the sockets, in the context that the request's program is begun in:
what a handler sets there, such as a span, the program sees.
"""

from __future__ import annotations

import time
from contextvars import Context, ContextVar
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from dspex.core.events import SERVE_REQUEST_START, SERVE_REQUEST_STOP
from dspex.core.ids import new_id
from supervisors import Events

_asked: ContextVar[Asked] = ContextVar("dspex.serve.asked")


class Asked:
    """One request: its id, what becomes of it, and who hears of it. Use it as a block.

    Inside it `asked_here` finds it, in the task that handles the request.

    Args:
        request: The request.
        wished: Its id.
        events: Who is told.
        context: What its program is begun in.
    """

    def __init__(
        self, request: web.Request, wished: str, *, events: Events, context: Context
    ) -> None:
        self.id = wished
        self.context = context
        self.program: str | None = None
        """The program that is asked; set it once it is found."""
        self.error_type: str | None = None
        """The word for why there is no answer; set it where that is told."""
        self.status: int | None = None
        """What it was answered with; set it in the block."""
        self._events = events
        self._known: dict[str, Any] | None = None
        self._request = request

    def __enter__(self) -> Self:
        _asked.set(self)
        events = self._events
        if events.are_wanted(SERVE_REQUEST_START) or events.are_wanted(
            SERVE_REQUEST_STOP
        ):
            self._began = time.monotonic()
            self._known = _known(self._request, self.id)
            self.context.run(events.emit, SERVE_REQUEST_START, **self._known)
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        if self._known is None:
            return
        known = {
            **self._known,
            "program": self.program,
            "status": self.status,
            "error_type": self.error_type,
        }
        measured = {"seconds": time.monotonic() - self._began}
        self.context.run(self._events.emit, SERVE_REQUEST_STOP, measured, **known)


def asked_here() -> Asked:
    """Return the request that this task handles."""
    return _asked.get()


def _known(request: web.Request, wished: str) -> dict[str, Any]:
    resource = request.match_info.route.resource
    return {
        "span": new_id(),
        "request": wished,
        "method": request.method,
        "route": None if resource is None else resource.canonical,
        "scheme": request.scheme,
        "traceparent": request.headers.get("traceparent"),
    }
