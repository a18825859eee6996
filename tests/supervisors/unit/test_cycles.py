"""Circles in a graph are found: all there are, and none that is not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from supervisors._cycles import find_cycles

nodes = st.integers(min_value=0, max_value=7)
graphs = st.lists(st.tuples(nodes, nodes), max_size=20)


def reachable(edges: list[tuple[int, int]], start: int) -> set[int]:
    """Every node that some way of at least one edge leads to."""
    seen: set[int] = set()
    ahead = [start]
    while ahead:
        here = ahead.pop()
        for source, target in edges:
            if source == here and target not in seen:
                seen.add(target)
                ahead.append(target)
    return seen


@given(graphs)
def test_what_is_found_is_a_circle_of_edges_without_repetition(
    edges: list[tuple[int, int]],
) -> None:
    for cycle in find_cycles(edges):
        assert len(set(cycle)) == len(cycle)
        for here, there in zip(cycle, (*cycle[1:], cycle[0]), strict=True):
            assert (here, there) in edges


@given(graphs)
def test_a_circle_is_found_whenever_there_is_one(edges: list[tuple[int, int]]) -> None:
    found = find_cycles(edges)
    on_a_circle = {node for node in range(8) if node in reachable(edges, node)}

    assert bool(found) == bool(on_a_circle)


@given(graphs)
def test_without_the_circles_found_no_circle_is_left(
    edges: list[tuple[int, int]],
) -> None:
    taken = {node for cycle in find_cycles(edges) for node in cycle}
    rest = [edge for edge in edges if not taken & set(edge)]

    assert find_cycles(rest) == ()
    assert not any(node in reachable(rest, node) for node in range(8))


def test_no_two_circles_share_a_node() -> None:
    edges = [("a", "b"), ("b", "a"), ("b", "c"), ("c", "b"), ("d", "d")]

    assert find_cycles(edges) == (("a", "b"), ("d",))


def test_a_long_chain_that_ends_in_a_circle_needs_no_deep_stack() -> None:
    edges = [(number, number + 1) for number in range(10_000)]

    assert find_cycles(edges) == ()
    assert find_cycles([*edges, (10_000, 9_999)]) == ((9_999, 10_000),)
