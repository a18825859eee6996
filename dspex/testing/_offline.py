"""What the models of the test kit share: they answer where they are called."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from dspex.client.channel import Channel
from dspex.client.providers.format import Chunk
from dspex.client.returned import reply_from
from dspex.core.chat import turn_of
from dspex.core.lm import Message, Reply
from dspex.programs.rehearsal import is_rehearsal
from dspex.runtime.base_lm import BaseLM
from dspex.runtime.one_model import merged


class OfflineLM(BaseLM):
    """A model whose `forward` is called in the caller's thread, without a runtime.

    Nothing is cached, retried or limited. In a rehearsal it is not called at all, so
    that scripted answers stay for the calls that count.
    """

    def _complete(
        self,
        messages: Sequence[Message],
        settings: Mapping[str, Any],
        channel: Channel | None,
    ) -> Reply:
        """Answer a chat; a streamed answer comes word by word."""
        reply = self._answered(messages, settings)
        if channel is not None:
            asyncio.run(_hand_on(reply, channel))
        return reply

    async def _acomplete(
        self,
        messages: Sequence[Message],
        settings: Mapping[str, Any],
        channel: Channel | None,
    ) -> Reply:
        """The same for coroutines."""
        reply = self._answered(messages, settings)
        if channel is not None:
            await _hand_on(reply, channel)
        return reply

    def _answered(
        self, messages: Sequence[Message], settings: Mapping[str, Any]
    ) -> Reply:
        wanted = merged(self.settings, settings)
        if is_rehearsal():
            return Reply(texts=("",) * (wanted.get("n") or 1))
        turns = [turn_of(message) for message in messages]
        reply = reply_from(self.forward(messages=turns, **wanted), self.model)
        return self._remembered(messages, settings, reply)


async def _hand_on(reply: Reply, channel: Channel) -> None:
    attempt = channel.begin_attempt()
    for index, (text, reasoning) in enumerate(
        zip_longest(reply.texts, reply.reasoning, fillvalue="")
    ):
        for piece in _words(reasoning):
            await channel.put(Chunk(reasoning=piece, index=index), attempt)
        for piece in _words(text):
            await channel.put(Chunk(text=piece, index=index), attempt)


def _words(text: str) -> Iterator[str]:
    """Yield a text in pieces, each a word with the space behind it."""
    return (piece.group() for piece in re.finditer(r"\s*\S+\s?|\s+", text))
