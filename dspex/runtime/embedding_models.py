"""What an `Embedder` asks: a provider's model or a function, as language models.

They are `LM`s whose requests hold a text in each turn and whose replies hold vectors.
So limits, retries, breaker and budgets are the same.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from dspex.cache.key import Identity
from dspex.client.call import Call
from dspex.client.channel import Channel
from dspex.client.returned import vectors_from
from dspex.core import defaults
from dspex.core.errors import ConfigurationError
from dspex.core.lm import Message, Reply, Request
from dspex.runtime.home_made_place import (
    HomeMadePlace,
    digest_of_code,
    refuse_address,
    settings_of,
)
from dspex.runtime.language_model import LM
from dspex.runtime.places import Place, Reach, RemotePlace
from dspex.runtime.recording import EMBEDS
from dspex.runtime.runtime import Runtime


class VectorModel(LM):
    """A model that gives vectors."""

    def vector_identity(self, text: str, settings: Mapping[str, Any]) -> Identity:
        """What the vector of one text is to the cache."""
        sent = {**self.settings, **settings}
        turn = Message("user", text)
        return self._identity(
            Request(model=self._place.model, messages=(turn,), settings=sent)
        )

    def _call(
        self,
        runtime: Runtime,
        messages: Sequence[Message],
        settings: Mapping[str, Any],
        channel: Channel | None,
    ) -> tuple[Call, Identity | None]:
        call, identity = super()._call(runtime, messages, settings, channel)
        return replace(call, tags={**call.tags, EMBEDS: True}), identity


class ProviderModel(VectorModel):
    """A provider's model, by its model string."""

    def _find_place(self, reach: Reach) -> Place:
        place = super()._find_place(reach)
        if not isinstance(place, RemotePlace):
            raise ConfigurationError(
                f"{self.model!r} is served by dspex itself, which gives no vectors. "
                "Name a provider's model, or a server of your own with api_base=."
            )
        return place.for_vectors()


class FunctionModel(VectorModel):
    """A function of the user's own."""

    def __init__(
        self, function: Callable[..., Any], name: str | None, **options: Any
    ) -> None:
        if not callable(function):
            raise ConfigurationError(
                f"Embedder was given {type(function).__name__!r}; expected a model "
                "string or a function. Write Embedder('openai/text-embedding-3-small')."
            )
        self._function = function
        self._kind = getattr(function, "__qualname__", type(function).__qualname__)
        super().__init__(name or self._kind, **options)

    def _find_place(self, reach: Reach) -> Place:
        refuse_address(reach, "Embedder of a function")
        is_async = inspect.iscoroutinefunction(self._function)
        return HomeMadePlace(
            label=self.model,
            answer=self._aembedded if is_async else self._embedded,
            is_async=is_async,
            describe=dict,
            kind=f"embedder {self.model}",
            code=digest_of_code(self._function),
            most=reach.max_in_flight or defaults.CONCURRENCY,
            format="embeddings",
        )

    def _embedded(self, request: Request) -> Reply:
        texts = _texts(request)
        returned = self._function(texts, **settings_of(request))
        return Reply(vectors=vectors_from(returned, len(texts), self.model))

    async def _aembedded(self, request: Request) -> Reply:
        texts = _texts(request)
        returned = await self._function(texts, **settings_of(request))
        return Reply(vectors=vectors_from(returned, len(texts), self.model))


def _texts(request: Request) -> list[str]:
    return [turn.text for turn in request.messages]
