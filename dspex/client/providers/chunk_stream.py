"""What the stream readers of all formats share: events in, chunks out, in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from dspex.client.providers.format import Chunk
from dspex.client.providers.sse import Event, SseError, SseParser
from dspex.core.errors import LMError


class ChunkStream:
    """Hands events to a format and collects its chunks.

    Where the bytes are cut must change nothing. So an error that comes behind chunks,
    in the same bytes, waits for the next call, and the chunks are not lost.

    Args:
        take: What the format makes of an event: chunks, or an `LMError`.
        unreadable: The error for what is no stream; it is given the reason as a clause.
    """

    def __init__(
        self,
        take: Callable[[Event], Iterable[Chunk]],
        unreadable: Callable[[str], LMError],
    ) -> None:
        self._take = take
        self._unreadable = unreadable
        self._events = SseParser()
        self._failure: LMError | None = None

    def feed(self, data: bytes) -> list[Chunk]:
        """Take the bytes that came; the chunks they complete.

        Raises:
            LMError: An error came in the stream, or what came is no stream.
        """
        self._raise_failure()
        chunks: list[Chunk] = []
        try:
            for event in self._events.feed(data):
                chunks += self._take(event)
        except SseError as error:
            self._failure = self._unreadable(str(error))
        except LMError as error:
            self._failure = error
        if not chunks:
            self._raise_failure()
        return chunks

    def close(self) -> None:
        """Take the end of the stream, and the event that was still open, if any.

        Raises:
            LMError: As for `feed`.
        """
        self._raise_failure()
        for event in self._events.close():
            self._take(event)

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure
