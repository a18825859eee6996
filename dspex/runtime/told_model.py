"""A model asked with its fallbacks, and who is told: what programs see of `LM`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dspex.client.channel import Channel
from dspex.core.callbacks import Announced, callbacks_of
from dspex.core.errors import LMError
from dspex.core.history import Exchanged, History
from dspex.core.lm import Message, Reply
from dspex.core.outputs import outputs_of
from dspex.programs.history import adapter_here, remember
from dspex.programs.rehearsal import is_rehearsal
from dspex.runtime.fallback import Fallbacks, Round
from dspex.runtime.one_model import OneModel, merged
from dspex.runtime.turns import heard_of


class ToldModel(OneModel):
    """Asks a model, then those that are to stand in for it, and tells of the call.

    Callbacks hear of each call, and it is remembered in the histories it belongs to.
    A call is one, however many models were asked.
    """

    _fallbacks: Fallbacks
    history: History
    """Its last calls."""

    def complete(
        self,
        messages: Sequence[Message],
        settings: Mapping[str, Any] | None = None,
        *,
        channel: Channel | None = None,
    ) -> Reply:
        """Answer a chat; see `LanguageModel.complete`.

        Args:
            messages: The chat, oldest turn first.
            settings: Settings of this call; they win over the model's own.
            channel: Where the pieces of a streamed answer go; `None` for a whole one.
        """
        call = self._announced(messages, settings or {})
        if call is None:
            return self._complete(messages, settings or {}, channel)
        with call:
            reply = self._complete(messages, settings or {}, channel)
            call.outputs = outputs_of(reply)
            return reply

    async def acomplete(
        self,
        messages: Sequence[Message],
        settings: Mapping[str, Any] | None = None,
        *,
        channel: Channel | None = None,
    ) -> Reply:
        """The same for coroutines, on the caller's loop; cancelled, it withdraws."""
        call = self._announced(messages, settings or {})
        if call is None:
            return await self._acomplete(messages, settings or {}, channel)
        with call:
            reply = await self._acomplete(messages, settings or {}, channel)
            call.outputs = outputs_of(reply)
            return reply

    def _complete(
        self,
        messages: Sequence[Message],
        settings: Mapping[str, Any],
        channel: Channel | None,
    ) -> Reply:
        models = Round(self, self._fallbacks, channel)
        for model in models:
            try:
                reply = model.ask(messages, settings, channel)
            except LMError as error:
                models.failed(error)
            else:
                if models.accepts(reply):
                    return self._remembered(messages, settings, reply)
        return self._remembered(messages, settings, models.end())

    async def _acomplete(
        self,
        messages: Sequence[Message],
        settings: Mapping[str, Any],
        channel: Channel | None,
    ) -> Reply:
        models = Round(self, self._fallbacks, channel)
        for model in models:
            try:
                reply = await model.aask(messages, settings, channel)
            except LMError as error:
                models.failed(error)
            else:
                if models.accepts(reply):
                    return self._remembered(messages, settings, reply)
        return self._remembered(messages, settings, models.end())

    def _announced(
        self, messages: Sequence[Message], settings: Mapping[str, Any]
    ) -> Announced | None:
        """What tells of a call around it, or `None` when nobody hears of it."""
        callbacks = self._hearers()
        if not callbacks:
            return None
        return Announced(callbacks, "lm", self, heard_of(messages, settings))

    def _hearers(self) -> Sequence[Any]:
        """Who hears of this model's calls."""
        return callbacks_of(self)

    def _remembered(
        self, messages: Sequence[Message], settings: Mapping[str, Any], reply: Reply
    ) -> Reply:
        if not is_rehearsal():
            self._remember(
                Exchanged(
                    model=self.model,
                    messages=tuple(messages),
                    settings=merged(self.settings, settings),
                    reply=reply,
                    adapter=adapter_here(),
                )
            )
        return reply

    def _remember(self, call: Exchanged) -> None:
        """Keep a call in the histories it belongs to."""
        remember(call, self.history)
