"""For a server that was asked for a stream and answers with one JSON body."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from dspex.client.http_messages import HttpResponse
from dspex.client.providers.format import Chunk
from dspex.core.lm import Reply


def is_json(headers: Mapping[str, str]) -> bool:
    """Whether a body is announced as JSON, and so is no stream of events."""
    return headers.get("content-type", "").lower().startswith("application/json")


class WholeBody:
    """Collects a body and reads it at its end, as an answer that was not streamed.

    It gives no chunk: the reply of `finish` holds all the text. How large a body may
    grow is the transport's to say.
    """

    def __init__(
        self, headers: Mapping[str, str], read: Callable[[HttpResponse], Reply]
    ) -> None:
        self._headers = headers
        self._read = read
        self._body = bytearray()

    def feed(self, data: bytes) -> Sequence[Chunk]:
        """Keep what came."""
        self._body += data
        return ()

    def finish(self) -> Reply:
        """Read the body."""
        response = HttpResponse(
            status=200, headers=self._headers, body=bytes(self._body)
        )
        return self._read(response)
