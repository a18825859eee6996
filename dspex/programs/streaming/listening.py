"""Who listens to a predictor's answer while the model is still writing it.

`streamify` sets a `Listening` for the program it runs; `asking` looks here at each
call. Without one, or when it does not care for a predictor, the call is made as usual.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Protocol, cast, runtime_checkable

from dspex.core.adapters import Adapter, Asked
from dspex.core.blocks import put_back
from dspex.core.lm import LanguageModel, Reply
from dspex.core.prediction import Prediction
from dspex.core.spawner import the_spawner


@runtime_checkable
class Piece(Protocol):
    """What a model gives in a stream, such as a `dspex.Chunk`."""

    @property
    def text(self) -> str:
        """What its completion goes on with."""

    @property
    def reasoning(self) -> str:
        """What its reasoning goes on with, where the provider shows it."""

    @property
    def index(self) -> int:
        """The number of the completion."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeAnswer:
    """A completion of a model that does not stream, as a piece."""

    text: str
    """The completion."""
    reasoning: str = ""
    """Its reasoning."""
    index: int = 0
    """Its number."""


class Ear(Protocol):
    """Hears one call of a predictor."""

    def hear(self, piece: Piece) -> None:
        """Take the next piece.

        Raises:
            LMCancelledError: Nobody wants to hear any more; the call is to be ended.
        """

    def answered(self, prediction: Prediction) -> None:
        """Take what the adapter has read in the whole answer."""


class Listening(Protocol):
    """Listens to the predictors of a program."""

    def begin(self, predictor: Any, adapter: Adapter, asked: Asked) -> Ear | None:
        """Return what hears this call, or `None` when nobody cares."""


_listening: ContextVar[Listening | None] = ContextVar("dspex_listening", default=None)


@contextmanager
def listened_to_by(listening: Listening) -> Iterator[None]:
    """Have the calls of a block heard, threads in copies of its context included."""
    token = _listening.set(listening)
    try:
        yield
    finally:
        put_back(_listening, token)


def ear_for(predictor: Any, adapter: Adapter, asked: Asked) -> Ear | None:
    """Return what hears this call, or `None` when nobody does."""
    listening = _listening.get()
    return None if listening is None else listening.begin(predictor, adapter, asked)


def heard(ear: Ear, model: LanguageModel, asked: Asked) -> Reply:
    """Ask a model in pieces; one that has no `pieces()` gives all of it at once."""
    pieces = getattr(model, "pieces", None)
    if pieces is None:
        return _told_whole(ear, model.complete(asked.messages, asked.settings))
    with pieces(asked.messages, asked.settings) as stream:
        for piece in stream:
            ear.hear(piece)
    return cast("Reply", stream.reply)


async def aheard(ear: Ear, model: LanguageModel, asked: Asked) -> Reply:
    """The same for coroutines; see `heard`."""
    apieces = getattr(model, "apieces", None)
    if apieces is None:
        return await the_spawner().in_thread(
            lambda: heard(ear, model, asked), label=model.model
        )
    async with apieces(asked.messages, asked.settings) as stream:
        async for piece in stream:
            ear.hear(piece)
    return cast("Reply", stream.reply)


def _told_whole(ear: Ear, reply: Reply) -> Reply:
    both = zip_longest(reply.texts, reply.reasoning, fillvalue="")
    for index, (text, reasoning) in enumerate(both):
        ear.hear(WholeAnswer(text=text, reasoning=reasoning, index=index))
    return reply
