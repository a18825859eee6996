"""What a streamed request tells while its program runs.

The events are those of `dspex.streaming.streaming_response`, which are DSPy's: pieces
of fields, status messages, and the prediction at the end.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import Any, Final

from dspex.programs.program import Program
from dspex.programs.settings import context, settings
from dspex.programs.streaming.hearing import Hearing
from dspex.programs.streaming.listener import (
    StreamListener,
    find_predictor_for_stream_listeners,
)
from dspex.programs.streaming.listening import listened_to_by
from dspex.programs.streaming.messages import StatusStreamingCallback
from dspex.serve.contract import signature_of

BEGUN_AGAIN: Final = {"restarted": True}
"""Told when a program that was killed begins again: what came of its fields is void."""
_END: Final = object()


class Telling:
    """What one request tells, in the order it happens.

    Programs put from their own threads; the loop it is made on takes.

    Args:
        program: Whose fields are told.
    """

    def __init__(self, program: Callable[..., Any]) -> None:
        self._program = program
        self._loop = asyncio.get_running_loop()
        # What is not read yet waits: at most all that the program says.
        self._waiting: asyncio.Queue[Any] = asyncio.Queue()
        self._hearing: Hearing | None = None

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Tell what the program does in the block; once for each of its beginnings."""
        hearing: Hearing | None = None

        def put(item: Any) -> None:
            # Nothing of a beginning that was killed, which may go on in its thread.
            if hearing is None or hearing is self._hearing:
                self._put(item)

        hearing = Hearing(_listeners(self._program), put)
        self._hearing = hearing
        status = StatusStreamingCallback(None, put)
        with (
            context(callbacks=[*(settings.callbacks or ()), status]),
            listened_to_by(hearing),
        ):
            yield

    def again(self) -> None:
        """Tell that the program begins again, where anything of it was told."""
        hearing, self._hearing = self._hearing, None
        if hearing is None:
            return
        hearing.close()
        if hearing.has_heard:
            self._put(event(BEGUN_AGAIN))

    def end(self) -> None:
        """Tell no more."""
        if self._hearing is not None:
            self._hearing.close()
        self._hearing = None
        self._waiting.put_nowait(_END)

    async def told(self) -> AsyncGenerator[Any, None]:
        """Yield what is told, until the end."""
        while (item := await self._waiting.get()) is not _END:
            yield item

    def _put(self, item: Any) -> None:
        # The loop may have closed under a program that was given up.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._waiting.put_nowait, item)


def event(told: Any) -> str:
    r"""Write a JSON value as a server-sent event.

    Example:
        >>> event({"status": "asking"})
        'data: {"status":"asking"}\n\n'
    """
    return f"data: {json.dumps(told, allow_nan=False, separators=(',', ':'))}\n\n"


def _listeners(program: Any) -> dict[int, list[StreamListener]]:
    """Who listens to what: to the outputs of a program of one signature.

    What a larger program's parts say among themselves is nobody's business outside.
    """
    signature = signature_of(program)
    if signature is None or not isinstance(program, Program):
        return {0: []}
    named = program.named_predictors()
    wanted = [
        StreamListener(field, predict_name=name, allow_reuse=True)
        for field in signature.output_fields
        for name, predictor in named[-1:]
        if field in predictor.signature.output_fields
    ]
    return find_predictor_for_stream_listeners(program, wanted) or {0: []}
