"""A branch of dspex in somebody else's tree."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from supervisors import ChildSpec, Intensity, Strategy, SupervisorActor, Surroundings

OnMount = Callable[[Surroundings], None]
"""Told what the tree has for those who live in it, at each start of the branch."""


class MountedActor(SupervisorActor):
    """The top of a branch that another tree has started.

    Args:
        children: What runs under it.
        strategy: Which of them are restarted together.
        intensity: How many restarts are allowed.
        on_mount: Told of the surroundings before the children start.
    """

    def __init__(
        self,
        children: Iterable[ChildSpec],
        *,
        strategy: Strategy = Strategy.ONE_FOR_ONE,
        intensity: Intensity,
        on_mount: OnMount,
    ) -> None:
        super().__init__(children, strategy=strategy, intensity=intensity)
        self._on_mount = on_mount

    def on_start(self) -> None:
        """Say where this is, then start the children."""
        self._on_mount(self.surroundings)
        super().on_start()
