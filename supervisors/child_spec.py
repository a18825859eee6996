"""What a supervisor needs to know about a child, checked before anything starts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Literal

from supervisors.backoff import Backoff
from supervisors.errors import ConfigError

if TYPE_CHECKING:
    import asyncio


class Restart(Enum):
    """When a child is started again after it ended."""

    PERMANENT = "permanent"
    """Always."""
    TRANSIENT = "transient"
    """After an abnormal end: anything but `normal` and `shutdown`."""
    TEMPORARY = "temporary"
    """Never; its spec is forgotten when it ends."""


class Strategy(Enum):
    """Which children are restarted when one of them ends."""

    ONE_FOR_ONE = "one_for_one"
    """Only that one."""
    ONE_FOR_ALL = "one_for_all"
    """All of them."""
    REST_FOR_ONE = "rest_for_one"
    """That one and those started after it."""


ShutdownPolicy = float | Literal["brutal_kill", "infinity"]
"""How long a child may take to stop when asked: seconds, at once, or for ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Intensity:
    """How many restarts are allowed in how many seconds. OTP's defaults: 1 in 5 s."""

    max_restarts: int = 1
    """Restarts allowed inside the span; one more and the supervisor gives up."""
    within: float = 5.0
    """The span in seconds."""

    def __post_init__(self) -> None:
        if self.max_restarts < 0:
            msg = (
                f"max_restarts is {self.max_restarts}; it counts allowed restarts. "
                "Pass 0 for none, or a positive number."
            )
            raise ConfigError(msg)
        if not self.within > 0 or math.isinf(self.within):
            msg = (
                f"within is {self.within}; it is a span in seconds. "
                "Pass a positive, finite number."
            )
            raise ConfigError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildSpec:
    """How to start, stop and restart one child. OTP's child specification.

    Example:
        >>> from supervisors import Actor
        >>> ChildSpec(id="clock", actor=Actor).restart
        <Restart.PERMANENT: 'permanent'>
    """

    id: str
    """The child's name under its supervisor; unique there."""
    actor: type[Any]
    """The class to start: an `Actor`, or a `pykka.ThreadingActor` as it is.

    A restart makes a new instance.
    """
    args: tuple[Any, ...] = ()
    """Positional arguments of its constructor, the same at each start."""
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    """Keyword arguments of its constructor.

    A value in here that the actor changes is memory that outlives the actor: OTP's
    table with an heir. Only the child's own thread may touch it.
    """
    name: str | None = None
    """The name to register in the tree's `Registry` while the child lives."""
    restart: Restart = Restart.PERMANENT
    """When it is started again."""
    shutdown: ShutdownPolicy | None = None
    """Seconds to stop in; `None` is 5 for a worker, `"infinity"` for a supervisor."""
    kind: Literal["worker", "supervisor"] = "worker"
    """Whether the child is itself a supervisor."""
    significant: bool = False
    """Whether its end may stop its supervisor (OTP's automatic shutdown)."""
    start_timeout: float = 30.0
    """Seconds `on_start` may take before the start counts as failed."""
    hang_after: float | None = None
    """Seconds one message may be in hand; then the child ends as `Hung`.

    `None`, as in OTP, lets it take any time. An actor that owns an event loop is hung
    as well when the loop does not turn for so long.
    """
    loop: str | asyncio.AbstractEventLoop | None = None
    """Where a `LoopActor` lives: the name of an `EventLoopActor` in this tree, or a
    running loop of yours."""
    backoff: Backoff | None = None
    """How long its restarts wait; `None` makes them at once, as in OTP.

    A restart that waits was counted when it was planned. Siblings that it takes along
    are stopped at once and started with it. `terminate_child` calls it off; siblings
    stopped for it then stay down until `restart_child`.
    """

    def __post_init__(self) -> None:
        if not self.id:
            msg = "a child spec has an empty id; pass a name that is unique here."
            raise ConfigError(msg)
        if self.shutdown is None:
            policy: ShutdownPolicy = "infinity" if self.kind == "supervisor" else 5.0
            object.__setattr__(self, "shutdown", policy)
        _check_shutdown(self.id, self.shutdown)
        _check_positive(self.id, "start_timeout", self.start_timeout)
        _check_positive(self.id, "hang_after", self.hang_after)
        if self.significant and self.restart is Restart.PERMANENT:
            msg = (
                f"child {self.id!r} is significant and permanent; a permanent child "
                "never ends for good. Make it transient or temporary."
            )
            raise ConfigError(msg)


def _check_shutdown(child_id: str, policy: ShutdownPolicy | None) -> None:
    if policy in ("brutal_kill", "infinity"):
        return
    if isinstance(policy, int | float) and policy >= 0 and not math.isinf(policy):
        return
    msg = (
        f"child {child_id!r} has shutdown={policy!r}; expected seconds, "
        "'brutal_kill' or 'infinity'."
    )
    raise ConfigError(msg)


def _check_positive(child_id: str, option: str, value: float | None) -> None:
    if value is None or (value > 0 and not math.isinf(value)):
        return
    msg = (
        f"child {child_id!r} has {option}={value!r}; it is a span in seconds. "
        "Pass a positive, finite number, or leave it out for the default."
    )
    raise ConfigError(msg)
