"""What is told of the calls of programs, tools, optimisers and models, as events.

Told in the caller's thread and context, so a handler may set what the code inside the
call shall see, such as a span that later ones are children of. Where nobody listens, a
call pays for a few looks into a table.
"""

from __future__ import annotations

import contextvars
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Self

from dspex.client.call import Call
from dspex.core import events as names
from dspex.core.callbacks import ACTIVE_CALL_ID, BaseCallback, use_tellers
from dspex.core.errors import LMError
from dspex.core.ids import new_id
from dspex.core.lm import Reply
from dspex.runtime.places import Place
from dspex.runtime.runtime import events_here
from supervisors import Events
from supervisors.events import Name

_NAMES: Final[Mapping[str, tuple[Name, Name, Name]]] = {
    "module": (names.PROGRAM_START, names.PROGRAM_STOP, names.PROGRAM_EXCEPTION),
    "tool": (names.TOOL_START, names.TOOL_STOP, names.TOOL_EXCEPTION),
    "evaluate": (names.EVALUATE_START, names.EVALUATE_STOP, names.EVALUATE_EXCEPTION),
    "compile": (names.COMPILE_START, names.COMPILE_STOP, names.COMPILE_EXCEPTION),
}
"""For each kind of watched call its start, its end, and its end by an error."""


class _Teller(BaseCallback):
    """Tells of calls of one kind; a callback like those that users write."""

    def __init__(self, kind: str) -> None:
        self.start, self.stop, self.exception = _NAMES[kind]
        self._name_of = _name_of_tool if kind == "tool" else _name_of_class
        # What is said again at the end of each open call. Each change is one step.
        self._open: dict[str, tuple[float, dict[str, Any]]] = {}

    def is_wanted(self, events: Events) -> bool:
        return (
            events.are_wanted(self.stop)
            or events.are_wanted(self.start)
            or events.are_wanted(self.exception)
        )

    def _started(self, call_id: str, instance: Any, inputs: Mapping[str, Any]) -> None:
        known = {
            "span": call_id,
            "parent": ACTIVE_CALL_ID.get(),
            "name": self._name_of(instance),
            "instance": instance,
            "inputs": inputs,
        }
        self._open[call_id] = (time.monotonic(), known)
        events_here().emit(self.start, **known)

    def _ended(
        self, call_id: str, outputs: Any, exception: BaseException | None = None
    ) -> None:
        began, known = self._open.pop(call_id)
        measured = {"seconds": time.monotonic() - began}
        events = events_here()
        if exception is None:
            events.emit(self.stop, measured, **known, outputs=outputs)
        else:
            events.emit(self.exception, measured, **known, error=exception)

    on_module_start = on_tool_start = on_evaluate_start = on_compile_start = _started
    on_module_end = on_tool_end = on_evaluate_end = on_compile_end = _ended


def _name_of_tool(instance: Any) -> str:
    name = getattr(instance, "name", None)
    return name if isinstance(name, str) else type(instance).__name__


def _name_of_class(instance: Any) -> str:
    """The class, also where an object has a name: of classes there are few."""
    return type(instance).__name__


_TELLERS: Final = {kind: (_Teller(kind),) for kind in _NAMES}


def _tellers(kind: str) -> Sequence[_Teller]:
    """Who tells of calls of a kind; nobody where nobody listens."""
    tellers = _TELLERS.get(kind, ())
    if tellers and tellers[0].is_wanted(events_here()):
        return tellers
    return ()


use_tellers(_tellers)


class Asked:
    """Tells of one question to a model, around the block that asks it.

    Args:
        events: Who is told.
        call: The call that will be made.
        model: The model as the user wrote it.
        place: Where it lives.
    """

    __slots__ = ("_began", "_events", "_known", "_model", "_place", "call", "reply")

    def __init__(self, events: Events, call: Call, model: str, place: Place) -> None:
        self._events = events
        self._model = model
        self._place = place
        self._known: dict[str, Any] | None = None
        self.call = call
        """The call to make: it knows where its caller stands, if somebody listens."""
        self.reply: Reply | None = None
        """The answer; set it in the block."""

    def __enter__(self) -> Self:
        events = self._events
        if not (
            events.are_wanted(names.LM_REQUEST_STOP)
            or events.are_wanted(names.LM_REQUEST_START)
            or events.are_wanted(names.LM_REQUEST_EXCEPTION)
        ):
            return self
        self._began = time.monotonic()
        self._known = {
            "span": new_id(),
            "model": self._model,
            "provider": self._place.provider,
            "address": self._place.identity,
            "operation": (
                "embeddings" if "embeddings" in self._place.format else "chat"
            ),
            "request": self.call.request,
            "stream": self.call.channel is not None,
        }
        events.emit(names.LM_REQUEST_START, **self._known)
        # After the handlers: they may have opened a span for it.
        self.call = replace(self.call, context=contextvars.copy_context())
        return self

    def __exit__(
        self, _kind: object, error: BaseException | None, _traceback: object
    ) -> None:
        if self._known is None:
            return
        seconds = time.monotonic() - self._began
        if self.reply is None:
            status = error.status if isinstance(error, LMError) else None
            known = {**self._known, "error": error, "status": status}
            self._events.emit(names.LM_REQUEST_EXCEPTION, {"seconds": seconds}, **known)
            return
        cache = "miss" if self.call.cacheable else "off"
        known = {
            **self._known,
            "reply": self.reply,
            "cache": "hit" if self.reply.cached else cache,
        }
        measured = _measured(seconds, self.reply)
        self._events.emit(names.LM_REQUEST_STOP, measured, **known)


def _measured(seconds: float, reply: Reply) -> dict[str, float]:
    measured = {
        "seconds": seconds,
        "input_tokens": reply.usage.prompt_tokens,
        "output_tokens": reply.usage.completion_tokens,
        "attempts": reply.attempts,
    }
    if reply.cost is not None:
        measured["cost"] = reply.cost
    return measured
