"""Finding who waits for whom in a circle. Pure."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import TypeVar

Node = TypeVar("Node", bound=Hashable)


def find_cycles(edges: Iterable[tuple[Node, Node]]) -> tuple[tuple[Node, ...], ...]:
    """The circles in a graph: each one's nodes in order, none twice.

    Every node that lies on a circle is in one of those returned, unless all its circles
    share a node with one returned before. No two have a node in common, so that two
    reports of one deadlock never stand side by side.

    Example:
        >>> find_cycles([("a", "b"), ("b", "c"), ("c", "a"), ("x", "a")])
        (('a', 'b', 'c'),)
    """
    targets: dict[Node, list[Node]] = {}
    for source, target in edges:
        targets.setdefault(source, []).append(target)
    found: list[tuple[Node, ...]] = []
    done: set[Node] = set()
    for start in targets:
        if start not in done:
            cycle = _first_cycle(start, targets, done)
            while cycle:
                found.append(cycle)
                done.update(cycle)
                cycle = () if start in done else _first_cycle(start, targets, done)
    return tuple(found)


def _first_cycle(
    start: Node, targets: dict[Node, list[Node]], done: set[Node]
) -> tuple[Node, ...]:
    """Walk from `start` until the way bites its own tail; note what leads nowhere."""
    way = [start]
    position = {start: 0}
    ahead = [iter(targets.get(start, ()))]
    while way:
        for node in ahead[-1]:
            if node in position:
                return tuple(way[position[node] :])
            if node not in done:
                position[node] = len(way)
                way.append(node)
                ahead.append(iter(targets.get(node, ())))
                break
        else:
            done.add(way[-1])
            del position[way.pop()]
            ahead.pop()
    return ()
