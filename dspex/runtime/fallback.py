"""When the next language model is asked instead: by error, or by the reply."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from dspex.client.channel import Channel
from dspex.core.errors import (
    BudgetExceededError,
    ConfigurationError,
    LMCancelledError,
    LMError,
    LMStreamError,
)
from dspex.core.lm import Reply

_NEVER = (LMCancelledError, BudgetExceededError, LMStreamError)
"""The caller is gone, has said what it may cost, or has read a part of the answer:
another model changes none of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fallbacks:
    """Whom to ask next, and when.

    Raises:
        ConfigurationError: There is a condition and nobody to ask.
    """

    models: tuple[Any, ...] = ()
    """Other LMs, in the order in which they are asked."""
    when: Callable[[Reply], bool] | None = None
    """Told each reply; `True` asks the next model instead."""

    def __post_init__(self) -> None:
        if self.when is not None and not self.models:
            raise ConfigurationError(
                "fallback_when says when to ask another model, and there is none. "
                "Pass fallbacks=[dspex.LM(...)] as well."
            )


class Round:
    """One call on its way from model to model.

    Args:
        first: The model that is asked first.
        fallbacks: Whom to ask after it, and when.
        channel: Where the pieces of a streamed answer go: once one was read, no other
            model may answer.
    """

    def __init__(
        self, first: Any, fallbacks: Fallbacks, channel: Channel | None = None
    ) -> None:
        self._models = (first, *fallbacks.models)
        self._when = fallbacks.when
        self._channel = channel
        self._errors: list[LMError] = []
        self._second_best: Reply | None = None

    def __iter__(self) -> Iterator[Any]:
        """The models, in the order in which they are asked."""
        return iter(self._models)

    def accepts(self, reply: Reply) -> bool:
        """Whether a reply is good enough, so that nobody else is asked."""
        has_begun = self._channel is not None and self._channel.began
        if has_begun or self._when is None or not self._when(reply):
            return True
        self._second_best = reply
        return False

    def failed(self, error: LMError) -> None:
        """Note an error, which the next model may make good.

        Raises:
            LMError: This very error, when asking another model is of no use.
        """
        if isinstance(error, _NEVER):
            raise error
        self._errors.append(error)

    def end(self) -> Reply:
        """What is left when all were asked: the latest reply, though turned down.

        Raises:
            LMError: There is no reply: the last model's error, with a note of those
                before it.
        """
        if self._second_best is not None:
            return self._second_best
        *before, last = self._errors
        if before:
            told = "; ".join(f"{error.model}: {error}" for error in before)
            last.add_note(f"other models were asked before: {told}")
        raise last
