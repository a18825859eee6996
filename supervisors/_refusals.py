"""The errors a machine hands back, and their texts. Nothing is raised here."""

from __future__ import annotations

from typing import Any

from supervisors._effects import ChildState
from supervisors.child_spec import ChildSpec
from supervisors.errors import (
    ChildNotFoundError,
    ChildStateError,
    ConfigError,
    StartError,
)
from supervisors.exits import ExitReason


def unknown_auto_shutdown(given: str, known: tuple[str, ...]) -> ConfigError:
    """The option is none of those there are."""
    return ConfigError(
        f"auto_shutdown is {given!r}; expected one of {known}. "
        "Leave it out for 'never'."
    )


def duplicate_id(spec: ChildSpec) -> ConfigError:
    """Two specs of one supervisor have the same id."""
    return ConfigError(
        f"two children have the id {spec.id!r}; an id names one child of a "
        "supervisor. Give each its own."
    )


def meaningless_significance(spec: ChildSpec) -> ConfigError:
    """A significant child under a supervisor that never shuts down by itself."""
    return ConfigError(
        f"child {spec.id!r} is significant under a supervisor with "
        "auto_shutdown='never'; its end would mean nothing. Set auto_shutdown, or "
        "leave `significant` out."
    )


def did_not_start(child_id: str, reason: ExitReason) -> StartError:
    """A start that someone asked for went wrong."""
    return StartError(
        f"child {child_id!r} did not start ({reason}); its start was to end with the "
        "child running. Mend the cause, then start it again.",
        reason=reason,
    )


def id_is_taken(child_id: str, state: ChildState) -> ChildStateError:
    """A new child has the id of one there is."""
    if state is ChildState.UP:
        return ChildStateError(
            f"child {child_id!r} is running already; start_child() adds a new one. "
            "Pass an id that is free, or use the child there is.",
            child_id=child_id,
            state="already_started",
        )
    return ChildStateError(
        f"a spec with the id {child_id!r} is here already, {state.value}; "
        "start_child() adds a new one. Call restart_child(), or delete_child() first.",
        child_id=child_id,
        state="already_present",
    )


def not_down(child_id: str, state: ChildState, call: str) -> ChildStateError:
    """A call is for children that are down, and this one is not."""
    word = "running" if state is ChildState.UP else "restarting"
    return ChildStateError(
        f"child {child_id!r} is {word}; {call}() takes one that is down. "
        "Call terminate_child() first.",
        child_id=child_id,
        state=word,
    )


def negative_max_children(given: int) -> ConfigError:
    """A supervisor cannot have fewer than no children."""
    return ConfigError(
        f"max_children is {given}; it is how many children there may be at once. "
        "Pass 0 or more, or None for any number."
    )


def too_many_children(child_id: str, limit: int) -> ChildStateError:
    """A supervisor that has all the children it may have is asked for one more."""
    return ChildStateError(
        f"this supervisor has {limit} children, its max_children; wait until one has "
        "ended, or allow more.",
        child_id=child_id,
        state="max_children",
    )


def runs_no_child(ref: Any) -> ChildNotFoundError:
    """A child is asked for by a ref that runs none."""
    message = (
        f"{ref!s} runs no child of this supervisor; terminate_child() takes the ref of "
        "one that does. Pass what start_child() returned, or look at which_children()."
    )
    return ChildNotFoundError(str(ref), (), message)


def has_one_spec(child_id: str, call: str) -> ChildStateError:
    """A child is asked for by id where all children have the same one."""
    return ChildStateError(
        f"{call}({child_id!r}) names a child by its id, and all children of this "
        "supervisor have the id of its template. Name one by the ref that "
        "start_child() returned.",
        child_id=child_id,
        state="simple_one_for_one",
    )
