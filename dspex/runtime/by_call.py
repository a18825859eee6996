"""Models whose class overrides `__call__` or `acall`, as DSPy's users write them.

Programs ask a model with `complete`, so an override of the method people call would be
passed by in silence. Such a class gets a `complete` that calls it; what the override
asks `super()` for is the real one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from dspex.client.returned import reply_from
from dspex.core.chat import turn_of
from dspex.core.errors import ConfigurationError
from dspex.core.lm import Message, Reply
from dspex.core.outputs import facts_in

_BY_CALL: Final = "answers_by_call"
"""Marks the methods made here."""


def ask_by_call(kind: Any) -> None:
    """Have a class that was just made be asked through what it overrides.

    Raises:
        ConfigurationError: It has a `forward` or `aforward` that nothing would call.
    """
    own = vars(kind)
    for method in ("forward", "aforward"):
        if method in own and not getattr(kind, "answers_itself", False):
            raise ConfigurationError(
                f"{kind.__name__} has a {method}(), and an LM never calls it: it asks "
                f"a provider. Write class {kind.__name__}(dspex.BaseLM) for a model of "
                "your own, or override __call__(prompt=None, *, messages=None, ...)."
            )
    if "__call__" in own and "complete" not in own:
        kind.complete = _complete
    if "acall" in own and "acomplete" not in own:
        kind.acomplete = _acomplete
    elif "__call__" in own and "acomplete" not in own:
        kind.acomplete = _acomplete_in_thread


def is_asked_by_call(kind: type) -> bool:
    """Say whether a class answers by its own `__call__`, whatever its model's name."""
    return hasattr(getattr(kind, "complete", None), _BY_CALL)


def real_method(model: Any, name: str) -> Callable[..., Any]:
    """Return the nearest method of that name that was not made here."""
    for kind in type(model).__mro__:
        found = vars(kind).get(name)
        if found is not None and not hasattr(found, _BY_CALL):
            method: Callable[..., Any] = found.__get__(model)
            return method
    raise AttributeError(name)


def _complete(
    self: Any,
    messages: Sequence[Message],
    settings: Mapping[str, Any] | None = None,
    **_: Any,
) -> Reply:
    """Answer a chat by being called, as programs of DSPy call a model."""
    returned = self(messages=_turns(messages), **(settings or {}))
    return _reply(returned, self.model)


async def _acomplete(
    self: Any,
    messages: Sequence[Message],
    settings: Mapping[str, Any] | None = None,
    **_: Any,
) -> Reply:
    """The same for coroutines."""
    returned = await self.acall(messages=_turns(messages), **(settings or {}))
    return _reply(returned, self.model)


async def _acomplete_in_thread(
    self: Any,
    messages: Sequence[Message],
    settings: Mapping[str, Any] | None = None,
    **_: Any,
) -> Reply:
    """The same for coroutines, where only the blocking way was overridden."""
    return await asyncio.to_thread(_complete, self, messages, settings)


for _made in (_complete, _acomplete, _acomplete_in_thread):
    setattr(_made, _BY_CALL, True)


def _turns(messages: Sequence[Message]) -> list[dict[str, Any]]:
    return [turn_of(turn) for turn in messages]


def _reply(returned: Any, label: str) -> Reply:
    """Take what DSPy's models return: texts, or a dict for each."""
    if isinstance(returned, list) and all(isinstance(one, Mapping) for one in returned):
        texts = [one.get("text") or "" for one in returned]
        return reply_from(texts, label).with_changes(**facts_in(returned))
    return reply_from(returned, label)
