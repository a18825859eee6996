"""Pictures of trees as text for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from supervisors._durations import in_words
from supervisors.tree import TreeNode

LONG = 5.0
"""Seconds after which a message in hand, or one that waits, is worth a look."""

SHOWN_OF_A_CROWD = 5
"""How many of a crowd's usual children are drawn."""

CROWD = 20
"""More children than these are a crowd."""


def draw(node: TreeNode, *, details: bool = False) -> str:
    """The tree as text, one actor a line.

    A line with a `!` is worth a look: an actor that is not up, suspended, stuck, behind
    with its messages, or that has dead children whose threads still run. Of a crowd of
    children only these and a few others are drawn.

    Args:
        node: The picture.
        details: Whether to add class, process and uptime of each actor.
    """
    return "\n".join(_lines(node, "", "", details=details))


def _lines(node: TreeNode, first: str, rest: str, *, details: bool) -> Iterator[str]:
    mark = "! " if _is_unusual(node) else ""
    said = ", ".join((*(_details(node) if details else ()), *_news(node)))
    yield f"{first}{mark}{node.id}" + (f"  {said}" if said else "")
    drawn, folded = _fold(node.children)
    for number, child in enumerate(drawn, start=1):
        last = number == len(drawn) and not folded
        branch, below = ("└─ ", "   ") if last else ("├─ ", "│  ")
        yield from _lines(child, rest + branch, rest + below, details=details)
    if folded:
        yield f"{rest}└─ {_crowd(folded)}"


def _fold(
    children: Sequence[TreeNode],
) -> tuple[Sequence[TreeNode], Sequence[TreeNode]]:
    """Which children are drawn and which are only counted."""
    if len(children) <= CROWD:
        return children, ()
    usual = [child for child in children if not any(map(_is_unusual, child.walk()))]
    counted = {id(child) for child in usual[SHOWN_OF_A_CROWD:]}
    drawn = [child for child in children if id(child) not in counted]
    # When many are unusual, a picture of them all shows nothing either.
    counted.update(id(child) for child in drawn[CROWD:])
    return drawn[:CROWD], [child for child in children if id(child) in counted]


def _crowd(folded: Sequence[TreeNode]) -> str:
    states = Counter(child.state for child in folded)
    if len(states) == 1:
        said = f"all {folded[0].state}"
    else:
        said = ", ".join(f"{count} {state}" for state, count in states.most_common())
    return f"… {len(folded):,} more children, {said}"


def _is_unusual(node: TreeNode) -> bool:
    return bool(
        node.state != "up"
        or node.suspended
        or node.zombies
        or node.in_hand_for >= LONG
        or node.oldest_for >= LONG
    )


def _details(node: TreeNode) -> Iterator[str]:
    yield node.kind
    if node.process_id is not None:
        yield f"process {node.process_id}"
    if node.state == "up":
        yield f"up {in_words(node.uptime)}"


def _news(node: TreeNode) -> Iterator[str]:
    if node.state != "up":
        yield node.state
    if node.suspended:
        yield "suspended"
    if node.in_hand is not None:
        yield f"busy with {node.in_hand} for {in_words(node.in_hand_for)}"
    if node.mailbox:
        yield f"{node.mailbox} waiting (oldest {in_words(node.oldest_for)})"
    if node.restarts:
        yield f"{node.restarts} restarted{_why(node)}"
    for zombie in node.zombies:
        span = in_words(zombie.seconds)
        yield f"the thread of {zombie.label} still runs, {span} after its end"


def _why(node: TreeNode) -> str:
    record = node.last_restart
    if record is None:
        return ""
    ago = in_words(max(0.0, node.taken_at - record.at))
    return f" (last {record.child_id} {ago} ago: {record.reason})"
