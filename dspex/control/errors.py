"""What can go wrong when a process is asked.

```
ControlError (DspexError)
├─ GoneError        nobody listens there any more
├─ NoAnswerError    it is there and does not answer
└─ RefusedError     it answered that it will not, or cannot; .code .facts
```
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dspex.core.errors import DspexError


class ControlError(DspexError):
    """A process could not be asked."""

    code = "control"


class GoneError(ControlError):
    """Nobody listens at that socket: its process has ended."""


class NoAnswerError(ControlError):
    """Somebody listens and does not answer as one who speaks this protocol."""


class RefusedError(ControlError):
    """The process said no.

    Attributes:
        code: A word for the reason: `unknown_verb`, `bad_request`, `no_such_run`,
            `part_of_study`, `busy`, `too_large`, `failed`.
        facts: What goes with it.
    """

    def __init__(self, code: str, message: str, **facts: Any) -> None:
        super().__init__(message)
        self.code = code
        self.facts: Mapping[str, Any] = facts
