"""`BaseLM`: a home-made model with the cache, limits, retries and breaker of `LM`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, ClassVar

from dspex.client.returned import reply_from
from dspex.core import defaults
from dspex.core.chat import turn_of
from dspex.core.errors import ConfigurationError
from dspex.core.lm import Reply, Request
from dspex.programs.saving.state import class_path
from dspex.runtime.by_call import is_asked_by_call
from dspex.runtime.home_made_place import (
    HomeMadePlace,
    digest_of_code,
    refuse_address,
    settings_of,
    unreachable,
)
from dspex.runtime.language_model import LM
from dspex.runtime.places import Place, Reach


class BaseLM(LM):
    """A language model of your own: subclass it and write one method.

    Write `forward(self, messages, **settings)`, which may block, or `async def
    aforward(...)` with the same arguments. `messages` are dicts in OpenAI's words. It
    returns a text, a list of texts (one for each completion), or a `Reply` where usage
    is to be counted; what OpenAI's API answers will do too.

    When to use it: a model in this process, or behind an API that dspex does not
    speak. When not: an API that speaks like OpenAI's; `LM(..., api_base=...)` reaches
    it. For tests, any class with the members of `dspex.core.lm.LanguageModel` will do.

    What it raises: `LMRateLimitError`, `LMServerError` and their like are treated as a
    provider's. An `OSError` counts as a broken connection and a `TimeoutError` as
    silence, and both are tried again. Everything else ends the call with an `LMError`
    that has it as its cause.

    Blocking code runs in threads of its own, in none of your contexts; a thread that
    does not return in time is left behind and keeps its place among `max_in_flight`.
    Make one object and keep it: each has a branch of the tree.

    Answers are kept under the class's name, the code of that one method and what
    `dump_state()` returns. Override that to add what else changes an answer, such as a
    version of the code your method calls: `return {**super().dump_state(), "version":
    2}`; or pass `cache=False`. A saved program holds it too, and whoever loads that
    gives it the model with `set_lm`.

    Example:
        >>> class Shouting(BaseLM):
        ...     def forward(self, messages, **settings):
        ...         return messages[-1]["content"].upper()
        >>> Shouting("shouting", temperature=0)
        Shouting('shouting', temperature=0)

    Args:
        model: Its name, for errors, usage and prices. With a prefix ("acme/large"), the
            price of that provider's model counts; without one, it has none unless you
            add one for "home-made/NAME".
        max_in_flight: Answers made at a time; 16 by default.
        options: What else `LM` takes (`cache`, `timeout`, `budget`, ...), and settings
            that are passed to `forward`. The timeout is for the whole answer.

    Raises:
        ConfigurationError: The class has neither of the methods, nor a `__call__` of
            its own; or an option makes no sense.
    """

    answers_itself: ClassVar[bool] = True

    def __init__(
        self, model: str, *, max_in_flight: int = defaults.CONCURRENCY, **options: Any
    ) -> None:
        super().__init__(model, max_in_flight=max_in_flight, **options)

    def __repr__(self) -> str:
        return f"{type(self).__name__}{super().__repr__().removeprefix('LM')}"

    def forward(self, *, messages: list[dict[str, Any]], **settings: Any) -> Any:
        """Answer a chat; subclasses write this, or `aforward`."""
        raise NotImplementedError

    async def aforward(self, *, messages: list[dict[str, Any]], **settings: Any) -> Any:
        """Answer a chat; subclasses write this, or `forward`."""
        raise NotImplementedError

    def _find_place(self, reach: Reach) -> Place:
        refuse_address(reach, type(self).__name__)
        method = self._method()
        if method is None:
            return self._place_of_call()

        def answer(request: Request) -> Reply:
            return reply_from(method(**_chat(request)), self.model)

        async def aanswer(request: Request) -> Reply:
            return reply_from(await method(**_chat(request)), self.model)

        is_async = inspect.iscoroutinefunction(method)
        return HomeMadePlace(
            label=self.model,
            answer=aanswer if is_async else answer,
            is_async=is_async,
            describe=self._described,
            kind=class_path(type(self)),
            code=digest_of_code(method),
            most=reach.max_in_flight or defaults.CONCURRENCY,
        )

    def _described(self) -> dict[str, Any]:
        """What can change its answers; how often they are tried for cannot."""
        return {k: v for k, v in self.dump_state().items() if k != "num_retries"}

    def _place_of_call(self) -> Place:
        """A place for a class that overrides `__call__`, which programs ask instead.

        Raises:
            ConfigurationError: It does not.
        """
        why = (
            f"{type(self).__name__} has no way to answer; a BaseLM has a method "
            "forward() or aforward(). Write def forward(self, messages, **settings)."
        )
        if not is_asked_by_call(type(self)):
            raise ConfigurationError(why)
        return unreachable(self.model, why)

    def _method(self) -> Callable[..., Any] | None:
        """Return what answers, or `None` when the class has neither method."""
        kind = type(self)
        if kind.aforward is not BaseLM.aforward:
            return self.aforward
        if kind.forward is not BaseLM.forward:
            return self.forward
        return None


def _chat(request: Request) -> dict[str, Any]:
    turns = [turn_of(turn) for turn in request.messages]
    return {"messages": turns, **settings_of(request)}
