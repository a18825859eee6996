"""What is said to a supervisor."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

from supervisors.child_spec import ChildSpec
from supervisors.exits import ExitReason
from supervisors.ref import Ref


@dataclass(frozen=True, slots=True, kw_only=True)
class AddChild:
    """Start a child under this supervisor. Asked; the reply is its `Ref` or `None`."""

    spec: ChildSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class AddInstance:
    """Start an instance of the template. Asked; the reply is its `Ref` or `None`."""

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminateChild:
    """Stop a child. Asked; the reply is `None`."""

    child: str | Ref[Any]
    """Its id, or, where children are named by what runs them, its `Ref`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GetChildSpec:
    """Asked; the reply is a `ChildSpec`."""

    child_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartChild:
    """Start a child that is down. Asked; the reply is its `Ref` or `None`."""

    child_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteChild:
    """Forget the spec of a child that is down. Asked; the reply is `None`."""

    child_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GetChildren:
    """Asked; the reply is a tuple of `ChildStatus`, the youngest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GetCounts:
    """Asked; the reply is a `ChildCounts`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildEnded:
    """A child has ended. Cast by the monitor on it."""

    key: Hashable
    ref: Ref[Any]
    reason: ExitReason


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryStart:
    """Make a restart that has waited. Cast to oneself, or sent by a timer."""

    key: Hashable


@dataclass(frozen=True, slots=True, kw_only=True)
class LookForHangs:
    """Look which children are stuck. Sent by a timer."""
