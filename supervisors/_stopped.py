"""What Pykka calls an actor's end, as a view of its life."""

from __future__ import annotations

from supervisors._life import Life


class Stopped:
    """Pykka's `actor_stopped`: a `threading.Event` that is set by the end of a life."""

    __slots__ = ("_life",)

    def __init__(self, life: Life) -> None:
        self._life = life

    def is_set(self) -> bool:
        """Whether the actor has ended."""
        return self._life.over()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the end, at most `timeout` seconds; say whether it came."""
        return self._life.ended.wait(timeout)
