"""What is said to a supervisor."""

from __future__ import annotations

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
class TerminateChild:
    """Stop a child and keep its spec. Asked; the reply is `None`."""

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

    child_id: str
    ref: Ref[Any]
    reason: ExitReason


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryStart:
    """Try a failed start again. Cast to oneself, behind what waits."""

    child_id: str
