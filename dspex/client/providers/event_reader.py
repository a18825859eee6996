"""What readers of streamed answers share, whatever the format of the events."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence

from dspex.client.http_messages import HttpResponse
from dspex.client.providers.format import Chunk, Sender
from dspex.client.providers.json_body import JsonError, read_object
from dspex.client.providers.refusals import unreadable
from dspex.client.providers.sse import Event, SseError, SseParser
from dspex.core.errors import LMError, LMResponseError
from dspex.core.lm import Reply


class EventReader(ABC):
    """Reads one streamed answer whose events are JSON objects.

    What came before an error is handed on first: the error waits for the next call.
    So it does not matter where the network cut the bytes.
    """

    expected: str
    """What the format promises, for errors."""

    def __init__(self, headers: Mapping[str, str], sender: Sender) -> None:
        self.headers = headers
        self.sender = sender
        self._parser = SseParser()
        self._failure: LMError | None = None

    @abstractmethod
    def take(self, event: Mapping[str, object], data: bytes) -> Iterable[Chunk]:
        """Take an event, and the bytes it was read from; the chunks in it.

        Raises:
            LMError: The event is an error, or none the format has.
        """

    @abstractmethod
    def whole(self) -> Reply:
        """The reply all events make up.

        Raises:
            LMError: They make up none.
        """

    def feed(self, data: bytes) -> Sequence[Chunk]:
        """Take the bytes that came, cut anywhere; the chunks they complete.

        Raises:
            LMError: An error came in the stream, or what came is no stream.
        """
        self._raise_failure()
        try:
            events = self._parser.feed(data)
        except SseError as error:
            raise self.unreadable(str(error)) from None
        chunks = self._take_all(events)
        if not chunks:
            self._raise_failure()
        return chunks

    def finish(self) -> Reply:
        """The whole reply, when the body has ended.

        Raises:
            LMError: An error came last, or the stream ended before the answer did.
        """
        self._raise_failure()
        self._take_all(self._parser.close())
        self._raise_failure()
        return self.whole()

    def unreadable(self, problem: str) -> LMResponseError:
        """The error for a stream that is not what the format promises."""
        return unreadable(
            self.response(b""), self.sender, problem=problem, expected=self.expected
        )

    def response(self, body: bytes) -> HttpResponse:
        """An event as a response of its own, for reading an error in it."""
        return HttpResponse(status=200, headers=self.headers, body=body)

    def _take_all(self, events: Iterable[Event]) -> list[Chunk]:
        chunks: list[Chunk] = []
        for event in events:
            try:
                chunks += self.take(self._read(event.data), event.data)
            except LMError as error:
                self._failure = error
                break
        return chunks

    def _read(self, data: bytes) -> Mapping[str, object]:
        try:
            return read_object(data)
        except JsonError as error:
            raise self.unreadable(f"an event cannot be read: {error}") from None

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure
