"""When the next language model is asked instead: by error, or by the reply."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

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

    def turns_down(self, reply: Reply) -> bool:
        """Whether a reply is not good enough."""
        return self.when is not None and bool(self.when(reply))


def leads_on(error: LMError) -> bool:
    """Whether an error of one model is a reason to ask another.

    Example:
        >>> from dspex.core.errors import LMServerError
        >>> leads_on(LMServerError("down")), leads_on(LMCancelledError("given up"))
        (True, False)
    """
    return not isinstance(error, _NEVER)


def chained(errors: Sequence[LMError]) -> LMError:
    """The last of the errors; those before it are its causes."""
    last = errors[-1]
    if len(errors) > 1:
        last.add_note(
            "other models were asked before: "
            + "; ".join(f"{error.model}: {error}" for error in errors[:-1])
        )
    return last
