"""The error tree of supervisors.

```
SupervisorError
├─ ConfigError (ValueError)          a child spec or an option makes no sense
├─ ChildNotFoundError (LookupError)  no such child; .child_id .known
├─ ChildStateError                   the child is not in a state for that; .state
├─ AlreadyRegisteredError            a unique key has a living owner; .key .ref
├─ StartError                        an actor did not start; .reason
├─ ActorDownError (pykka.ActorDeadError)  the actor called is dead; .name .reason
│   └─ RestartLimitError             and its tree gave up restarting it
├─ CallTimeoutError (TimeoutError, pykka.Timeout)  no answer in time
├─ MailboxFullError                  the actor's bounded mailbox refused a message
├─ SelfCallError                     an actor asked itself
├─ BlockingCallError                 an event loop was about to be blocked by a call
├─ TaskOwnerError (ValueError)       a task was awaited by somebody else than its owner
└─ ScopeCancelledError               the work that made the call was given up
```
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

import pykka

from supervisors.exits import ExitReason

if TYPE_CHECKING:
    from supervisors.ref import Ref


class SupervisorError(Exception):
    """Base of every error this package raises on purpose."""

    def __reduce__(self) -> tuple[Any, ...]:
        # Python would call the class with the text alone, and many want facts as well:
        # an error that leaves a worker process would end the whole pool with another.
        return _again, (type(self), self.args), self.__dict__


def _again(kind: type[SupervisorError], args: tuple[Any, ...]) -> SupervisorError:
    """Make an error once more; its attributes are put into it afterwards."""
    error = kind.__new__(kind, *args)
    error.args = args
    return error


class ConfigError(SupervisorError, ValueError):
    """A child spec or an option makes no sense; raised before anything starts."""


class ChildNotFoundError(SupervisorError, LookupError):
    """A supervisor has no child with that id.

    Attributes:
        child_id: The id asked for, or the text of the ref.
        known: The ids there are, in start order; empty where ids name nothing.
    """

    def __init__(
        self, child_id: str, known: tuple[str, ...], message: str | None = None
    ) -> None:
        listed = ", ".join(repr(name) for name in known) or "none"
        super().__init__(
            message
            or f"no child {child_id!r} under this supervisor; its children are: "
            f"{listed}. Pass one of those ids, or add it first with start_child()."
        )
        self.child_id = child_id
        self.known = known


class ChildStateError(SupervisorError):
    """A child is not in a state in which the call makes sense.

    Attributes:
        child_id: The child.
        state: What it is instead, in OTP's words: `running`, `restarting`,
            `already_present`, `already_started`, `max_children` or
            `simple_one_for_one`.
    """

    def __init__(self, message: str, *, child_id: str, state: str) -> None:
        super().__init__(message)
        self.child_id = child_id
        self.state = state


class AlreadyRegisteredError(SupervisorError):
    """A unique key has a living owner already.

    Attributes:
        key: The key asked for.
        ref: The actor that has it.
    """

    def __init__(self, key: Hashable, ref: Ref[Any]) -> None:
        super().__init__(
            f"{key!r} is registered already, by {ref.life.label!r}, which lives; a "
            "unique key has one owner at a time. Use another key, or unregister or "
            "stop that actor first."
        )
        self.key = key
        self.ref = ref


class StartError(SupervisorError):
    """An actor did not start.

    Attributes:
        reason: Why; a crash keeps its exception, which is also this error's cause.
    """

    def __init__(self, message: str, *, reason: ExitReason) -> None:
        super().__init__(message)
        self.reason = reason


class ActorDownError(SupervisorError, pykka.ActorDeadError):
    """The actor called is dead, or died before it answered.

    Attributes:
        name: The name it was called by, or its class.
        reason: Why it ended.
    """

    def __init__(self, name: str, reason: ExitReason) -> None:
        super().__init__(f"{name!r} is not there to answer: it ended ({reason})")
        self.name = name
        self.reason = reason


class RestartLimitError(ActorDownError):
    """The tree an actor lived in gave up restarting; it will not come back."""


class CallTimeoutError(SupervisorError, TimeoutError, pykka.Timeout):
    """An actor did not answer in time. It lives, and a late answer is dropped."""


class MailboxFullError(SupervisorError):
    """The actor has a bounded mailbox, and as many messages wait as it allows.

    Attributes:
        limit: The bound.
    """

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"{limit} messages wait for this actor, which is its mailbox_limit; the "
            "message was not sent. Send fewer at a time, or raise the limit."
        )
        self.limit = limit


class SelfCallError(SupervisorError):
    """An actor asked itself, and would have waited for ever."""


class BlockingCallError(SupervisorError):
    """An actor on an event loop made a call that would block the loop."""


class TaskOwnerError(SupervisorError, ValueError):
    """A task was waited for, or given up, by somebody else than whoever started it."""


class ScopeCancelledError(SupervisorError):
    """The work this call belongs to was given up, so the call is refused."""
