"""What programs need to do several things at once: a protocol.

Programs do not know the supervision tree. The runtime supplies a `Spawner` that runs
each piece of work in a short-lived actor under it (`use_spawner`).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from dspex.core.errors import ConfigurationError

I = TypeVar("I")  # noqa: E741 - the input
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Finished(Generic[T]):
    """How one piece of work has ended: with a value, or with an error."""

    position: int
    """Which of the items it was for, counted from 0."""
    value: T | None = None
    """What the work returned."""
    error: BaseException | None = None
    """What it raised, or why it was ended from outside; `None` when it returned."""


class Spawner(Protocol):
    """Runs work beside other work. Every piece runs in a copy of its starter's context.

    So settings, callbacks and the usage that is tracked are its starter's, and nothing
    that one piece sets is seen by another. A piece that is given up makes no further
    calls to models: those it has open are withdrawn, later ones are refused.
    """

    def each(
        self,
        work: Callable[[I], T],
        items: Iterable[I],
        *,
        concurrency: int,
        timeout: float | None = None,
        label: str = "item",
    ) -> Generator[Finished[T], None, None]:
        """Do `work` on each item, and yield the ends as they come.

        Nothing is started before the first end is asked for. Close the generator (it is
        closed when a loop over it is left by an error) to give up what still runs.

        Args:
            work: Called with each item, in a thread that is used again.
            items: Taken one by one, when another piece may start.
            concurrency: How many pieces run at a time.
            timeout: Seconds one piece may take, from its start; `None` for no limit.
                One that takes longer is given up and ends in a `WorkTimeoutError`.
            label: What errors and pictures call a piece.
        """

    async def in_thread(self, work: Callable[[], T], *, label: str = "call") -> T:
        """Do blocking work in a thread of its own while the caller's loop goes on.

        Cancelled, it gives the work up. What the work raises is raised here.
        """


_make: Callable[[], Spawner] | None = None
_made: Spawner | None = None


def use_spawner(make: Callable[[], Spawner]) -> None:
    """Say who starts work; `import dspex` does, with the runtime's.

    Args:
        make: Called when something is to be started for the first time.
    """
    global _make, _made
    _make, _made = make, None


def the_spawner() -> Spawner:
    """Return who starts work.

    Raises:
        ConfigurationError: Nobody does.
    """
    global _made  # noqa: PLW0603 - made when it is first needed
    if _made is None:
        if _make is None:
            raise ConfigurationError(
                "nothing can be run side by side, as no runtime was supplied; this "
                "part of dspex was used without the rest. Write import dspex, and take "
                "the names you need from it."
            )
        _made = _make()
    return _made
