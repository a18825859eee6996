"""Reading a stream another way: without a loop, or as events of a web server."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import json
import queue
import threading
from collections.abc import AsyncGenerator, Generator
from typing import Any, Final

from dspex.core.adapters.render import plain_value
from dspex.core.errors import ConfigurationError
from dspex.core.prediction import Prediction
from dspex.programs.joining import join, take
from dspex.programs.streaming.hearing import Put
from dspex.programs.streaming.listening import Piece
from dspex.programs.streaming.messages import StatusMessage, StreamResponse

_END: Final = object()


def apply_sync_streaming(
    async_generator: AsyncGenerator[Any, None],
) -> Generator[Any, None, None]:
    """Read an async generator in a thread of its own, and give what comes.

    Closing the generator closes the other one, and waits until it is.
    """
    waiting: queue.SimpleQueue[Any] = queue.SimpleQueue()
    # The thread sees the settings of whoever reads.
    around = contextvars.copy_context()
    reading = _Reading(async_generator, waiting.put)
    thread = threading.Thread(
        target=around.run, args=(reading.run,), name="dspex-streamify", daemon=True
    )
    thread.start()
    try:
        while (item := take(waiting)) is not _END:
            yield item
    finally:
        reading.cancel()
        join(thread)
    if reading.error is not None:
        raise reading.error


async def streaming_response(
    streamer: AsyncGenerator[Any, None],
) -> AsyncGenerator[str, None]:
    """Write a stream as server-sent events, as a web server answers with.

    Each item is one event, `data: {"prediction": ...}` for the answer,
    `{"chunk": ...}` for a piece and `{"status": ...}` for a message; the last event is
    `data: [DONE]`. Events that are texts already are passed on.

    Raises:
        ConfigurationError: Something else came.
    """
    async with contextlib.aclosing(streamer):
        async for item in streamer:
            yield _event(item)
    yield "data: [DONE]\n\n"


class _Reading:
    """Reads an async generator to its end, on a loop of its own."""

    def __init__(self, generator: AsyncGenerator[Any, None], put: Put) -> None:
        self._generator = generator
        self._put = put
        self._loop = asyncio.new_event_loop()
        self._is_over = False
        # Protects `_is_over`, because a closed loop takes no more calls.
        self._lock = threading.Lock()
        self._task: asyncio.Task[None] | None = None
        self.error: BaseException | None = None

    def run(self) -> None:
        """Read all; called once, in the thread."""
        with contextlib.closing(self._loop):
            self._task = self._loop.create_task(self._read())
            try:
                self._loop.run_until_complete(self._task)
            except asyncio.CancelledError:
                pass
            except BaseException as error:  # noqa: BLE001 - it is raised where the stream is read
                self.error = error
            finally:
                self._loop.run_until_complete(self._loop.shutdown_asyncgens())
                with self._lock:
                    self._is_over = True
        self._put(_END)

    def cancel(self) -> None:
        """End the reading, from another thread; harmless when it has ended."""
        with self._lock:
            if not self._is_over:
                self._loop.call_soon_threadsafe(self._end)

    def _end(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _read(self) -> None:
        async with contextlib.aclosing(self._generator) as items:
            async for item in items:
                self._put(item)


def _event(item: Any) -> str:
    match item:
        case str() if item.startswith("data:"):
            return item
        case Prediction():
            told: dict[str, Any] = {"prediction": dict(item.items())}
        case StreamResponse():
            told = {
                "chunk": item.chunk,
                "field": item.signature_field_name,
                "predictor": item.predict_name,
                "is_last": item.is_last_chunk,
            }
        case StatusMessage():
            told = {"status": item.message}
        case Piece():
            told = {"chunk": item.text}
        case _:
            raise ConfigurationError(
                f"an item of the type {type(item).__name__!r} is no event; expected "
                "what a function of streamify() gives. Pass its generator itself."
            )
    written = json.dumps(plain_value(told), ensure_ascii=False, separators=(",", ":"))
    return f"data: {written}\n\n"
