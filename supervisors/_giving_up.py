"""What callers hear of a tree that gave up: the chain of causes, as errors."""

from __future__ import annotations

from supervisors._life import Life
from supervisors.errors import ActorDownError, RestartLimitError
from supervisors.exits import ExitReason, FailedToStartChild, Shutdown, cause_of


def limit_error(name: str, life: Life) -> RestartLimitError:
    """The error for callers of `name`, whose supervisor lived `life` and gave up."""
    error = RestartLimitError(name, Shutdown(life.gave_up))
    below = life.gave_up_over
    if below is not None and below.gave_up is not None:
        error.__cause__ = limit_error(below.label, below)
    else:
        error.__cause__ = root_cause(life.gave_up.reason)
    return error


def over_error(name: str, root: Life, reason: ExitReason) -> ActorDownError:
    """The error for callers in a tree whose root, called `name`, has ended."""
    if root.gave_up is not None:
        return limit_error(name, root)
    error = ActorDownError(name, reason)
    error.__cause__ = root_cause(reason)
    return error


def root_cause(reason: ExitReason) -> BaseException | None:
    """The exception at the bottom of a failed start, however deep in the tree."""
    while isinstance(reason, Shutdown) and isinstance(reason.term, FailedToStartChild):
        reason = reason.term.reason
    return cause_of(reason)
