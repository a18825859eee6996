"""Takes the place of every model in a context: calls are noted and none is made."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

from dspex.cache.key import Identity
from dspex.client.call import Call
from dspex.core.blocks import put_back
from dspex.core.lm import Reply, Request
from dspex.core.placeholder import TEXT
from dspex.programs.rehearsal import rehearsal

EMBEDS: Final = "embeds"
"""The tag of a call whose texts are to be embedded."""


Look = Callable[[Identity], Reply | None]
"""Looks into the cache, and leaves it as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """One call of a rehearsal."""

    call: Call
    """What would have been asked."""
    needs_request: bool
    """Whether it is not answered by the cache, nor by an equal call before it."""


class Recorder:
    """The calls of a rehearsal, in order.

    What the cache has, it answers with. Everything else gets placeholders, and what a
    program asks after one of those is not what it would have asked. So equal calls are
    told only among those before it.

    Args:
        look: Returns what the cache has, or `None`.
    """

    def __init__(self, look: Look) -> None:
        self._look = look
        self._keys: set[str] = set()
        self._is_clouded = False
        # Appending is one step, and so are the other changes: threads need no lock.
        self.calls: list[Recorded] = []

    def begin(self) -> None:
        """Note that the program starts anew, with nothing but its inputs."""
        self._is_clouded = False

    def answer(self, call: Call, identity: Identity | None) -> Reply:
        """Note a call, and answer it.

        Args:
            call: What is asked.
            identity: What it is to the cache; `None` when it may not be cached.
        """
        found = None if identity is None else self._look(identity)
        is_repeated = not self._is_clouded and call.id in self._keys
        needs_request = found is None and not is_repeated
        self.calls.append(Recorded(call=call, needs_request=needs_request))
        if call.cacheable and not self._is_clouded:
            self._keys.add(call.id)
        if found is not None:
            return found
        self._is_clouded = True
        return _stand_in(call.request)


_recorder: ContextVar[Recorder | None] = ContextVar("dspex_recorder", default=None)


def recorder_here() -> Recorder | None:
    """The recorder of this context, if it is a rehearsal."""
    return _recorder.get()


@contextmanager
def recording(look: Look) -> Iterator[Recorder]:
    """Make a block a rehearsal, threads that run in copies of its context included."""
    recorder = Recorder(look)
    token = _recorder.set(recorder)
    try:
        with rehearsal():
            yield recorder
    finally:
        put_back(_recorder, token)


def _stand_in(request: Request) -> Reply:
    settings: Mapping[str, Any] = request.settings
    vector = (1.0,) * (settings.get("dimensions") or 1)
    return Reply(
        texts=(TEXT,) * (settings.get("n") or 1),
        vectors=(vector,) * len(request.messages),
        attempts=0,
    )
