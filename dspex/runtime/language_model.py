"""`LM`: a language model as people hold it, and the way of a request through the tree.

A handle joins the cache and the client: *hit*, *lead* or *follow*, then the call. It
holds settings only; the parts it talks to are found by name at each call, so it
survives their restarts, copies freely, and costs nothing until it is used.
"""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, cast

from dspex.cache.cache import new_caller
from dspex.cache.key import Identity, identify
from dspex.client.call import Call
from dspex.client.client import Client
from dspex.client.providers.model_strings import LocalModel, resolve
from dspex.client.retry import RetryPolicy
from dspex.core import defaults
from dspex.core.errors import (
    ConfigurationError,
    LMCancelledError,
    LMError,
    RuntimeClosedError,
)
from dspex.core.lm import Message, Reply, Request, Role
from dspex.runtime.places import LocalPlace, Place, RemotePlace
from dspex.runtime.runtime import Runtime, current_runtime
from supervisors import ActorDownError, ScopeCancelledError, current_scope

_REASONING = re.compile(r"(^|/)(o[1-9]|gpt-5)([-.:]|$)")
"""OpenAI's reasoning models, which may think for minutes before the first byte."""


_OPTIONS = frozenset(
    {
        "adapter",
        "api_base",
        "api_key",
        "cache",
        "deadline",
        "max_in_flight",
        "model",
        "num_retries",
        "timeout",
    }
)
"""What an `LM` takes beside the settings that are sent."""


class LM:
    """A language model.

    When to use it: always; every provider that speaks OpenAI's chat format is reached
    with it. When not: a model of your own in this process; any object with the members
    of `dspex.core.lm.LanguageModel` will do for that.

    Example:
        >>> LM("openai/gpt-4o-mini", api_key="sk-1", temperature=0)
        LM('openai/gpt-4o-mini', temperature=0)

    Args:
        model: `provider/model`, such as `openai/gpt-4o-mini`, `local/gemma-3-270m` or
            `local/FILE.gguf`.
        api_base: The root of another OpenAI-compatible API.
        api_key: The key; without it, the provider's environment variable is read.
        cache: Whether equal calls share one answer.
        num_retries: Further attempts after a failed one.
        timeout: Seconds without a byte after a request was written. `None` is 60, and
            600 for reasoning models and for `max_tokens` above 4,096.
        deadline: Seconds for a whole call, waiting and retries included; `None` for no
            limit.
        adapter: "chat" or "line"; `None` is the model's own (a local base model has
            the line adapter) or the chat adapter.
        max_in_flight: Requests out at a time to this endpoint; the first LM that calls
            it decides. A local server never gets more than its slots.
        settings: Sent with each call: temperature, max_tokens, stop, seed, ...

    Raises:
        ConfigurationError: An unknown model string (the known prefixes are listed), no
            key, a wrong address, or a missing extra (with the line to install it).
    """

    def __init__(
        self,
        model: str,
        *,
        api_base: str | None = None,
        api_key: str | None = None,
        cache: bool = True,
        num_retries: int = defaults.RETRIES,
        timeout: float | None = None,
        deadline: float | None = None,
        adapter: str | None = None,
        max_in_flight: int | None = None,
        **settings: Any,
    ) -> None:
        self.model = model
        self.cache = cache
        if max_in_flight is not None and max_in_flight < 1:
            raise ConfigurationError(
                f"max_in_flight is {max_in_flight!r}; it counts requests out at a "
                "time. Pass 1 or more, or leave it out."
            )
        self.settings: Mapping[str, Any] = dict(settings)
        self._retries = RetryPolicy(
            retries=num_retries, longest_retry_after=defaults.LONGEST_RETRY_AFTER
        )
        self._timeout = _checked("timeout", timeout)
        self._deadline = _checked("deadline", deadline)
        self._place = _place(model, api_base, api_key, max_in_flight)
        self._adapter = adapter

    def __repr__(self) -> str:
        shown = "".join(f", {key}={value!r}" for key, value in self.settings.items())
        return f"LM({self.model!r}{shown})"

    @property
    def adapter(self) -> str | None:
        """The adapter this model wants, or `None` for the default."""
        return self._adapter or self._place.adapter

    def __call__(
        self,
        prompt: str | None = None,
        *,
        messages: Sequence[Mapping[str, str]] | None = None,
        **settings: Any,
    ) -> list[str]:
        """Answer a prompt or a chat; one text per completion, as in DSPy.

        Raises:
            LMError: The call ended without an answer.
        """
        if (prompt is None) == (messages is None):
            raise ConfigurationError(
                "lm() takes either a prompt or messages. Write lm('your question'), or "
                "lm(messages=[{'role': 'user', 'content': 'your question'}])."
            )
        return list(self.complete(_turns(prompt, messages or ()), settings).texts)

    def complete(
        self, messages: Sequence[Message], settings: Mapping[str, Any] | None = None
    ) -> Reply:
        """Answer a chat; see `LanguageModel.complete`."""
        wanted = _merged(self._place.settings, self.settings, settings or {})
        # As in DSPy, one call may say for itself whether it is cached.
        cached = bool(wanted.pop("cache", self.cache))
        request = Request(
            model=self._place.model, messages=tuple(messages), settings=wanted
        )
        try:
            return self._fetch(current_runtime(), request, cached=cached)
        except LMError as error:
            error.model = self.model
            raise
        except ScopeCancelledError as error:
            raise LMCancelledError(str(error), model=self.model) from error
        except ActorDownError as error:
            text = f"{self.model!r} cannot be called any more: {error}"
            raise RuntimeClosedError(text) from error

    def __deepcopy__(self, memo: dict[int, Any]) -> LM:
        """A handle is never changed, so copies of a program share it."""
        return self

    def copy(self, **changes: Any) -> LM:
        """A copy with other settings; a setting given as `None` is taken out.

        Raises:
            ConfigurationError: One of the changes is no setting.
        """
        wrong = sorted(_OPTIONS & changes.keys())
        if wrong:
            raise ConfigurationError(
                f"copy() was given {wrong[0]!r}; it takes settings that are sent to "
                "the model, such as temperature. Make another LM for anything else."
            )
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)
        twin.settings = _merged(self.settings, changes)
        return twin

    def dump_state(self) -> dict[str, Any]:
        """Model string and settings as JSON values; no key and no address."""
        adapter = {} if self._adapter is None else {"adapter": self._adapter}
        return {"model": self.model, "cache": self.cache, **adapter, **self.settings}

    def prepare(self) -> None:
        """Do now what the first call would do: weights on disk, server started."""
        self._client(current_runtime())

    # The way of a request.

    def _fetch(self, runtime: Runtime, request: Request, *, cached: bool) -> Reply:
        call = self._call(runtime, request, cached=cached)
        if not call.cacheable:
            return self._client(runtime).complete(call)
        cache, caller = runtime.cache, new_caller()
        found = cache.look_up(self._identity(request), caller, call.deadline)
        if found is not None:
            return found
        try:
            reply = self._client(runtime).complete(call)
        except BaseException:
            # Without an outcome that the client has told, the next in line leads.
            cache.leave(call.id, caller)
            raise
        cache.leave(call.id, caller, reply)
        return reply

    def _call(self, runtime: Runtime, request: Request, *, cached: bool) -> Call:
        scope = current_scope()
        now = runtime.clock.monotonic()
        return Call(
            id=self._identity(request).key if cached else uuid.uuid4().hex,
            request=request,
            cacheable=cached,
            attempt_timeout=self._attempt_timeout(request),
            deadline=None if self._deadline is None else now + self._deadline,
            retries=self._retries,
            tags=scope.tags if scope is not None else {},
        )

    def _identity(self, request: Request) -> Identity:
        return identify(self._place.provider, self._place.identity, request)

    def _client(self, runtime: Runtime) -> Client:
        place = self._place
        return runtime.client(place.branch_id, lambda: place.branch(runtime))

    def _attempt_timeout(self, request: Request) -> float:
        if self._timeout is not None:
            return self._timeout
        longest = request.settings.get("max_tokens") or 0
        if longest > defaults.LONG_ANSWER or _REASONING.search(request.model):
            return defaults.LONG_ATTEMPT_TIMEOUT
        return defaults.ATTEMPT_TIMEOUT


def _place(
    model: str, api_base: str | None, api_key: str | None, max_in_flight: int | None
) -> Place:
    found = resolve(model, api_base=api_base, api_key=api_key, env=os.environ)
    if isinstance(found, LocalModel):
        return LocalPlace(found.name)
    return RemotePlace(found, max_in_flight)


def _turns(
    prompt: str | None, messages: Sequence[Mapping[str, str]]
) -> tuple[Message, ...]:
    if prompt is not None:
        return (Message("user", prompt),)
    return tuple(_turn(turn) for turn in messages)


def _turn(turn: Mapping[str, str]) -> Message:
    try:
        return Message(cast("Role", turn["role"]), turn["content"])
    except KeyError as error:
        raise ConfigurationError(
            f"a message has no {error}; each has a 'role' and a 'content'. Write it "
            "like {'role': 'user', 'content': 'your question'}."
        ) from None


def _merged(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Later layers win; `None` takes a setting out."""
    merged = {key: value for layer in layers for key, value in layer.items()}
    return {key: value for key, value in merged.items() if value is not None}


def _checked(name: str, seconds: float | None) -> float | None:
    if seconds is not None and not seconds > 0:
        raise ConfigurationError(
            f"{name} is {seconds!r}; it is a span in seconds. "
            "Pass a positive number, or leave it out."
        )
    return seconds
