"""A suite for anyone's own tree: does it come back, can it be found, does it stop?"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from supervisors._durations import in_words
from supervisors._effects import ChildStatus
from supervisors._shown import Children
from supervisors.child_spec import ChildSpec, Restart
from supervisors.drawing import draw
from supervisors.ref import Ref
from supervisors.supervisor import AnySupervisor
from supervisors.supervisor_actor import SupervisorActor
from supervisors.testing.census import (
    assert_no_actor_left,
    assert_no_ask_cycle,
    living,
)
from supervisors.testing.settling import settled
from supervisors.tree import snapshot

MakeTree = Callable[[], AnySupervisor]
"""Starts a tree of its own, always the same one, and returns its root."""

Path = tuple[str, ...]
"""Ids from the root down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What became of one actor that was killed."""

    path: str
    """Which."""
    restart: Restart
    """When its spec says it is started again."""
    outcome: str
    """`came back`, `stayed away` or `waits for its backoff`."""
    seconds: float
    """How long that took."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConformanceReport:
    """What `check_tree` has seen. `str()` is for people."""

    actors: tuple[Checked, ...]
    """Every actor below the root that was killed, in start order."""
    stop_seconds: float
    """How long the whole tree took to stop."""

    def __str__(self) -> str:
        lines = [
            f"{each.path}: {each.outcome} ({each.restart.value}, "
            f"{in_words(each.seconds)})"
            for each in self.actors
        ]
        return "\n".join((*lines, f"stopped in {in_words(self.stop_seconds)}"))


def check_tree(make_tree: MakeTree, *, deadline: float = 30.0) -> ConformanceReport:
    """Check that a tree keeps the promises of supervision.

    The tree is started anew for each check, so none uses up another's restarts. Each
    actor below the root is killed once: it comes back or stays away as its restart
    policy says, every registered name is found again, nobody hangs and no actors wait
    for each other in a circle. Then the tree is stopped: in order, within the deadline,
    and nothing is left alive.

    Args:
        make_tree: Starts the tree.
        deadline: Seconds that a recovery, or the stop of the whole tree, may take.

    Returns:
        What was seen.

    Raises:
        AssertionError: A promise was broken; the text says which, and of whom.

    Example:
        >>> from supervisors import Actor, ChildSpec, Restart, Supervisor
        >>> specs = [
        ...     ChildSpec(id="clock", actor=Actor, name="clock"),
        ...     ChildSpec(id="once", actor=Actor, restart=Restart.TEMPORARY),
        ... ]
        >>> report = check_tree(lambda: Supervisor.start(specs))
        >>> [(each.path, each.outcome) for each in report.actors]
        [('clock', 'came back'), ('once', 'stayed away')]
    """
    actors = tuple(
        check_recovery(make_tree, number, deadline=deadline)
        for number in range(_size(make_tree, deadline))
    )
    stop_seconds = check_stop(make_tree, deadline=deadline)
    return ConformanceReport(actors=actors, stop_seconds=stop_seconds)


def check_recovery(
    make_tree: MakeTree, number: int, *, deadline: float = 30.0
) -> Checked:
    """Start the tree, kill one of its actors, and check what follows.

    Args:
        make_tree: Starts the tree.
        number: Which actor, counted from 0 in start order, the root left out.
        deadline: Seconds the recovery may take.

    Raises:
        AssertionError: What should follow did not.
    """
    with _running(make_tree, deadline) as tree:
        actors = list(_actors_below(tree))
        actor = actors[number]
        alike = _count_alike(tree, actor.path)
        began = time.monotonic()
        actor.ref.kill()
        settled(tree, timeout=deadline)
        took = time.monotonic() - began
        lacking = alike - _count_alike(tree, actor.path)
        outcome = _outcome(tree, actor, lacking=lacking)
        if outcome == "came back":
            _check_names(tree, actors, actor.where)
        assert_no_ask_cycle()
        return Checked(
            path=actor.where,
            restart=actor.spec.restart,
            outcome=outcome,
            seconds=took,
        )


def check_stop(make_tree: MakeTree, *, deadline: float = 30.0) -> float:
    """Start the tree, stop it, and check the order and that nothing is left.

    Returns:
        Seconds the stop took.

    Raises:
        AssertionError: It took too long, was out of order, or left something alive.
    """
    with _running(make_tree, deadline) as tree:
        order = _EndOrder(tree)
        began = time.monotonic()
        reason = tree.stop(deadline)
        took = time.monotonic() - began
        if reason is None:
            msg = (
                f"the tree did not stop within {deadline:g} s. Find out what its "
                f"children do when they are asked to:\n{draw(snapshot(tree.ref()))}"
            )
            raise AssertionError(msg)
        order.check()
    return took


class TreeConformance:
    """The same checks as tests: derive a test class, and say how the tree starts.

    For pytest, and for whatever else runs the methods named `test_*`.
    """

    deadline = 30.0
    """Seconds that a recovery, or the stop of the whole tree, may take."""

    def make_tree(self) -> AnySupervisor:
        """Start the tree.

        Raises:
            NotImplementedError: It is for the derived class to say how.
        """
        raise NotImplementedError

    def test_each_actor_comes_back_or_stays_away_as_its_spec_says(self) -> None:
        """Kill each actor once, each in a fresh tree."""
        for number in range(_size(self.make_tree, self.deadline)):
            check_recovery(self.make_tree, number, deadline=self.deadline)

    def test_it_stops_in_order_and_leaves_nothing_alive(self) -> None:
        """Stop a fresh tree."""
        check_stop(self.make_tree, deadline=self.deadline)


@dataclass(frozen=True, slots=True)
class _Actor:
    """One actor below the root, as it was before anything was done to it."""

    path: Path
    spec: ChildSpec
    ref: Ref[Any]
    is_lasting: bool
    """Whether it is there again whatever was restarted: no ancestor is temporary or
    forgets its children when it ends itself."""

    @property
    def where(self) -> str:
        return "/".join(self.path)


@contextlib.contextmanager
def _running(make_tree: MakeTree, deadline: float) -> Iterator[AnySupervisor]:
    """A fresh tree at rest; nothing is left of it after the block."""
    before = living()
    tree = make_tree()
    root = tree.ref()
    try:
        settled(tree, timeout=deadline)
        yield tree
    finally:
        root.shutdown()
        if root.wait(deadline) is None:
            root.kill()
    assert_no_actor_left(deadline, besides=before)


def _size(make_tree: MakeTree, deadline: float) -> int:
    with _running(make_tree, deadline) as tree:
        return len(list(_actors_below(tree)))


def _actors_below(tree: AnySupervisor) -> Iterator[_Actor]:
    """Every actor below the root that is up, each before its children."""
    return _walk(tree.ref(), (), is_lasting=True)


def _walk(parent: Ref[Any], path: Path, *, is_lasting: bool) -> Iterator[_Actor]:
    keeps = is_lasting and issubclass(parent.actor_class, SupervisorActor)
    for status in _children_of(parent):
        if status.ref is not None:
            lasts = keeps and status.spec.restart is not Restart.TEMPORARY
            here = (*path, status.spec.id)
            yield _Actor(here, status.spec, status.ref, lasts)
            yield from _walk(status.ref, here, is_lasting=lasts)


def _children_of(ref: Ref[Any]) -> tuple[ChildStatus, ...]:
    shown: Children = Children() if ref.life.children is None else ref.life.children()
    return shown.statuses


def _count_alike(tree: AnySupervisor, path: Path) -> int:
    """How many actors there are at a path: in a crowd ids may repeat."""
    return sum(
        actor.path == path and actor.ref.is_alive() for actor in _actors_below(tree)
    )


def _outcome(tree: AnySupervisor, killed: _Actor, *, lacking: int) -> str:
    """Say what became of the actor that was killed, if its spec promises that.

    Raises:
        AssertionError: It does not.
    """
    spec, where = killed.spec, killed.where
    if spec.restart is Restart.TEMPORARY:
        if lacking != 1 and not spec.significant:
            msg = (
                f"{where} is temporary, and there is another in its place; expected it "
                "to stay away. Check who starts it."
            )
            raise AssertionError(msg)
        return "stayed away"
    if lacking == 0:
        return "came back"
    if spec.backoff is not None and tree.registry.closed is None:
        return "waits for its backoff"
    over = tree.registry.closed
    cause = "" if over is None else f" The tree is over: {over}."
    msg = (
        f"{where} is {spec.restart.value} and did not come back after it was killed."
        f"{cause} Check that it can start again, and its supervisor's intensity."
    )
    raise AssertionError(msg)


def _check_names(tree: AnySupervisor, before: list[_Actor], killed: str) -> None:
    """Check that every name that should last is somebody's again.

    Raises:
        AssertionError: One is nobody's.
    """
    names = {actor.spec.name for actor in before if actor.is_lasting} - {None}
    lost = sorted(str(name) for name in names if not tree.handle(str(name)).is_alive())
    if lost:
        msg = (
            f"after {killed} was killed nobody has these names: {lost}; "
            "expected each to be found again. Check who unregisters them."
        )
        raise AssertionError(msg)


class _EndOrder:
    """In which order the actors of a tree end."""

    def __init__(self, tree: AnySupervisor) -> None:
        self._ends: list[Ref[Any]] = []
        self._names: dict[Ref[Any], str] = {}
        # Whoever must have ended before whom.
        self._pairs: list[tuple[Ref[Any], Ref[Any]]] = []
        self._take(tree.ref(), "the root")

    def _take(self, ref: Ref[Any], name: str) -> None:
        self._names[ref] = name
        ref.monitor(lambda _reason: self._ends.append(ref))
        children = [each for each in _children_of(ref) if each.ref is not None]
        for child in children:
            self._pairs.append((child.ref, ref))
            self._take(child.ref, f"{child.spec.id!r} of {name}")
        if issubclass(ref.actor_class, SupervisorActor):
            # In start order: each ends after the one that was started after it.
            refs = [child.ref for child in children]
            self._pairs += zip(refs[1:], refs, strict=False)

    def check(self) -> None:
        """Check the order when all have ended.

        Raises:
            AssertionError: Somebody ended too early.
        """
        at = {ref: number for number, ref in enumerate(self._ends)}
        for first, second in self._pairs:
            if at[first] > at[second]:
                msg = (
                    f"{self._names[second]} ended before {self._names[first]}; "
                    "expected children before their supervisor, and the youngest "
                    "first. Check who ends it."
                )
                raise AssertionError(msg)
