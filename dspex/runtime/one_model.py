"""One language model, asked alone: what `LM` and its kin have in common.

No fallbacks and no history here: a call goes to this model and no other, by the way
that `calling` takes through the tree.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from dspex.cache.key import Identity, identify
from dspex.client.call import Call
from dspex.client.channel import Channel
from dspex.client.client import Client
from dspex.client.prices import price_of
from dspex.core.adapters.json_schema import Bounds
from dspex.core.draws import drawn
from dspex.core.lm import Message, Reply, Request
from dspex.core.loops import running_loop
from dspex.core.spending import answered
from dspex.programs.saving.state import class_path, lm_state
from dspex.runtime.call_options import CallOptions, check_settings
from dspex.runtime.calling import afetch, fetch, named
from dspex.runtime.places import Place, Reach, promised_place
from dspex.runtime.runtime import Runtime, current_runtime
from dspex.runtime.telling import Asked


class OneModel:
    """A model at its place, and how its calls are made.

    Args:
        model: The model string as the user wrote it.
        settings: Sent with each call.
        cache: Whether equal calls share one answer.
        options: How its calls are made.
        reach: How its place is reached.

    Raises:
        ConfigurationError: A setting is none, or the model cannot be reached so.
    """

    def __init__(
        self,
        model: str,
        settings: Mapping[str, Any],
        *,
        cache: bool,
        options: CallOptions,
        reach: Reach,
    ) -> None:
        check_settings(settings)
        self.model = model
        self.settings: Mapping[str, Any] = dict(settings)
        self.cache = cache
        self._options = options
        self._reach = reach
        self._place = self._find_place(reach)

    def dump_state(self) -> dict[str, Any]:
        """Model string and settings as JSON values, as in DSPy; no key, no address."""
        return lm_state(
            class_path(type(self)),
            self.model,
            cache=self.cache,
            num_retries=self._options.retries.retries,
            settings=self.settings,
        )

    @property
    def supports_response_schema(self) -> bool:
        """Whether it writes JSON by a schema, sent as `response_format`."""
        return self._place.abilities.json_schema

    @property
    def supports_json_object(self) -> bool:
        """Whether it can be held to JSON without a schema."""
        return self._place.abilities.json_object

    @property
    def supports_function_calling(self) -> bool:
        """Whether it can be given `tools`.

        A subclass may say so of a server whose models can, which a name does not tell.
        """
        return self._place.abilities.tools

    @property
    def supports_reasoning(self) -> bool:
        """Whether its reasoning can come beside its answer."""
        return self._place.abilities.shown_reasoning

    @property
    def schema_bounds(self) -> Bounds | None:
        """How long its answers by a schema may get, where its server can hold that."""
        return self._place.schema_bounds

    def client(self) -> Client:
        """The client of its provider here, started if need be: limits, queue, breaker.

        Other LMs of the same provider, address and key have the same one.
        """
        return self._client(current_runtime())

    def prepare(self) -> None:
        """Do now what the first call would do: weights on disk, server started."""
        self.client()

    def ask(
        self,
        messages: Sequence[Message],
        settings: Mapping[str, Any],
        channel: Channel | None = None,
    ) -> Reply:
        """Answer a chat with this model and no other; nothing goes into the history."""
        with named(self.model):
            runtime = current_runtime()
            call, identity = self._call(runtime, messages, settings, channel)
            with Asked(runtime.events, call, self.model, self._place) as asked:
                reply = asked.reply = fetch(
                    runtime, asked.call, identity, lambda: self._client(runtime)
                )
            answered(reply, call.id)
            return reply

    async def aask(
        self,
        messages: Sequence[Message],
        settings: Mapping[str, Any],
        channel: Channel | None = None,
    ) -> Reply:
        """The same for coroutines."""
        running_loop()
        with named(self.model):
            runtime = current_runtime()
            call, identity = self._call(runtime, messages, settings, channel)
            with Asked(runtime.events, call, self.model, self._place) as asked:
                reply = asked.reply = await afetch(
                    runtime, asked.call, identity, lambda: self._aclient(runtime)
                )
            answered(reply, call.id)
            return reply

    def _find_place(self, reach: Reach) -> Place:
        """Where the model lives."""
        return promised_place(self.model, reach)

    def _call(
        self,
        runtime: Runtime,
        messages: Sequence[Message],
        settings: Mapping[str, Any],
        channel: Channel | None,
    ) -> tuple[Call, Identity | None]:
        """The call, and what it is to the cache if it may be cached."""
        check_settings(settings)
        wanted = merged(self._place.settings, self.settings, settings)
        # As in DSPy, one call may say for itself whether it is cached.
        cached = bool(wanted.pop("cache", self.cache))
        request = Request(
            model=self._place.model, messages=tuple(messages), settings=drawn(wanted)
        )
        identity = self._identity(request) if cached else None
        call = self._options.call(
            request,
            identity,
            now=runtime.clock.monotonic(),
            price=price_of(self._place.provider, request.model, runtime.config.prices),
            channel=channel,
            has_answers="embeddings" not in self._place.format,
        )
        return call, identity

    def _identity(self, request: Request) -> Identity:
        place = self._place
        return identify(
            place.provider, place.identity, request, wire_format=place.format
        )

    def _reached(self) -> Place:
        """The place; a key that was missing is looked for again."""
        if self._place.missing is not None:
            self._place = self._find_place(self._reach)
        return self._place

    def _client(self, runtime: Runtime) -> Client:
        place = self._reached()
        return runtime.client(place.branch_id, lambda: place.branch(runtime))

    async def _aclient(self, runtime: Runtime) -> Client:
        client = runtime.running_client(self._reached().branch_id)
        if client is not None:
            return client
        # To start a branch may take a while: weights on disk, a server.
        return await asyncio.to_thread(self._client, runtime)


def merged(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Later layers win; `None` takes a setting out."""
    merged: dict[str, Any] = {}
    for layer in layers:
        merged.update(layer)
    if None in merged.values():
        return {key: value for key, value in merged.items() if value is not None}
    return merged
