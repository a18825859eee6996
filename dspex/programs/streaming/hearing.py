"""How one run of a streamed program is listened to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from dspex.core.adapters import Adapter, Asked
from dspex.core.errors import LMCancelledError
from dspex.core.prediction import Prediction
from dspex.programs.streaming.listener import FieldStream, StreamListener
from dspex.programs.streaming.listening import Ear, Piece

Put = Callable[[Any], None]
"""Takes what is to be read next; from any thread."""


@dataclass(slots=True)
class Hearing:
    """Listens for one run: to some fields, or to all when there is no listener."""

    _listeners: dict[int, list[StreamListener]]
    """Who listens, by the id of the predictor; empty for everybody."""
    _put: Put
    """Takes what was heard."""
    _is_closed: bool = False
    """Whether nobody reads any more."""
    _streams: dict[int, FieldStream] = field(default_factory=dict)
    """By the listener's id: the call that it hears, or heard last."""

    @property
    def has_heard(self) -> bool:
        """Whether any listener was given anything."""
        return any(stream.has_begun for stream in self._streams.values())

    def begin(self, predictor: Any, adapter: Adapter, asked: Asked) -> Ear | None:
        """Return what hears this call, or `None` when nobody cares."""
        if not self._listeners:
            return _Ear(self, [])
        wanted = self._listeners.get(id(predictor), ())
        streams = [
            stream
            for listener in wanted
            if (stream := self._stream(listener)) is not None
        ]
        for stream in streams:
            stream.open(adapter, asked)
        return _Ear(self, streams) if streams else None

    def close(self) -> None:
        """Hear nothing any more; whatever still runs is ended by its next piece."""
        self._is_closed = True

    def pass_on(self, piece: Piece) -> None:
        """Put a raw piece into the stream."""
        self._put(piece)

    def check_open(self) -> None:
        """Refuse further pieces once nobody reads.

        Raises:
            LMCancelledError: Nobody does.
        """
        if self._is_closed:
            raise LMCancelledError(
                "nobody reads this stream any more, so the program was given up."
            )

    def _stream(self, listener: StreamListener) -> FieldStream | None:
        """Return what the listener hears next, if it hears another call."""
        known = self._streams.get(id(listener))
        if known is not None and not known.has_ended:
            return known
        if known is not None and not listener.allow_reuse:
            return None
        self._streams[id(listener)] = FieldStream(listener, self._put)
        return self._streams[id(listener)]


@dataclass(frozen=True, slots=True)
class _Ear:
    """Hears one call, for some fields or as it comes."""

    _hearing: Hearing
    """The run it belongs to."""
    _streams: Sequence[FieldStream]
    """The fields that are wanted of it; empty for all of it, as it comes."""

    def hear(self, piece: Piece) -> None:
        """Take the next piece."""
        self._hearing.check_open()
        if not self._streams:
            self._hearing.pass_on(piece)
        for stream in self._streams:
            stream.hear(piece)

    def answered(self, prediction: Prediction) -> None:
        """Take the whole answer."""
        for stream in self._streams:
            stream.answered(prediction)
