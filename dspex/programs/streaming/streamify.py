"""`streamify`: a program whose fields and doings can be read while it runs."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from typing import Any, Final

from dspex.core.foreign import refuse_dspy
from dspex.core.loops import running_loop
from dspex.core.spawner import the_spawner
from dspex.programs.settings import context, settings
from dspex.programs.streaming.hearing import Hearing
from dspex.programs.streaming.listener import (
    StreamListener,
    find_predictor_for_stream_listeners,
)
from dspex.programs.streaming.listening import listened_to_by
from dspex.programs.streaming.messages import (
    StatusMessageProvider,
    StatusStreamingCallback,
)
from dspex.programs.streaming.reading import apply_sync_streaming

_END: Final = object()


def streamify(
    program: Callable[..., Any],
    status_message_provider: StatusMessageProvider | None = None,
    stream_listeners: Sequence[StreamListener] | None = None,
    include_final_prediction_in_output_stream: bool = True,  # noqa: FBT001, FBT002 - DSPy's signature
    is_async_program: bool = False,  # noqa: FBT001, FBT002 - DSPy's signature
    async_streaming: bool = True,  # noqa: FBT001, FBT002 - DSPy's signature
) -> Callable[..., Any]:
    """Return a function that runs a program and gives what comes of it as it comes.

    It takes the program's arguments and returns a generator of

    - `StreamResponse`, a piece of a field that a listener wants: put together the
      pieces are the field's text, as it stands in the prediction;
    - `Chunk`, a piece of any predictor's answer, when there is no listener;
    - `StatusMessage`, what the program is doing;
    - the answer, at the end.

    An error of the program is raised where the generator is read; a stream that breaks
    is an `LMStreamError` with the text so far. Closing the generator gives the program
    up: its request is broken off and it makes no further one. An answer from the cache
    is one piece. What is not read yet waits, so a slow reader does not hold the program
    up.

    The function may be called any number of times, also side by side.

    Args:
        program: A program, a function, or a coroutine function.
        status_message_provider: Words the status messages; the default one tells of
            tools.
        stream_listeners: The fields that are wanted. With any, only their predictors
            are streamed.
        include_final_prediction_in_output_stream: Whether the answer comes as well. It
            always does when no listener has heard anything.
        is_async_program: Whether to run `program.acall`, on the reader's loop. A plain
            program runs in a thread.
        async_streaming: Whether to return an async generator; else a plain one, and
            the program runs beside the reader's thread.

    Raises:
        ConfigurationError: A listener's field is no output, or one of several
            predictors.

    Example:
        >>> from dspex import Predict
        >>> from dspex.testing import DummyLM
        >>> ask = streamify(
        ...     Predict("country -> capital"),
        ...     stream_listeners=[StreamListener("capital")],
        ...     async_streaming=False,
        ... )
        >>> with context(lm=DummyLM([{"capital": "Lima"}])):
        ...     *pieces, answer = ask(country="Peru")
        >>> "".join(piece.chunk for piece in pieces), answer.capital
        ('Lima', 'Lima')
    """
    refuse_dspy(program, "program")
    refuse_dspy(status_message_provider, "status_message_provider")
    for number, listener in enumerate(stream_listeners or ()):
        refuse_dspy(listener, f"stream_listeners[{number}]")
    listeners = find_predictor_for_stream_listeners(program, stream_listeners or ())
    provider = status_message_provider
    run = _coroutine_of(program, is_async_program=is_async_program)

    async def streamed(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, None]:
        loop = running_loop()
        waiting: asyncio.Queue[Any] = asyncio.Queue()

        def put(item: Any) -> None:
            # The loop may have closed under a program that was given up.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(waiting.put_nowait, item)

        hearing = Hearing(listeners, put)
        task = _begin(
            run(*args, **kwargs), hearing, StatusStreamingCallback(provider, put)
        )
        task.add_done_callback(lambda _: put(_END))
        try:
            while (item := await waiting.get()) is not _END:
                yield item
            answer = task.result()
            if include_final_prediction_in_output_stream or not hearing.has_heard:
                yield answer
        finally:
            hearing.close()
            await _given_up(task)

    if async_streaming:
        return streamed
    return lambda *args, **kwargs: apply_sync_streaming(streamed(*args, **kwargs))


def _coroutine_of(
    program: Any, *, is_async_program: bool
) -> Callable[..., Coroutine[Any, Any, Any]]:
    """Return the program as a coroutine function."""
    if is_async_program:
        acall: Callable[..., Coroutine[Any, Any, Any]] = program.acall
        return acall
    if inspect.iscoroutinefunction(program):
        coroutine_function: Callable[..., Coroutine[Any, Any, Any]] = program
        return coroutine_function

    async def in_a_thread(*args: Any, **kwargs: Any) -> Any:
        return await the_spawner().in_thread(
            lambda: program(*args, **kwargs), label="streamed program"
        )

    return in_a_thread


def _begin(
    work: Coroutine[Any, Any, Any], hearing: Hearing, status: StatusStreamingCallback
) -> asyncio.Task[Any]:
    """Start the program in a context of its own, which the reader does not see."""

    async def heard() -> Any:
        with (
            context(callbacks=[*settings.callbacks, status]),
            listened_to_by(hearing),
        ):
            return await work

    return asyncio.get_running_loop().create_task(heard(), name="dspex-streamify")


async def _given_up(task: asyncio.Task[Any]) -> None:
    """End what still runs, and look at its end, so that nobody is warned of it."""
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled():
        task.exception()
