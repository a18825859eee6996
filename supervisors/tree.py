"""A read-only picture of a tree, taken without asking anybody.

It reads what each actor shows, so it also works while one of them is stuck.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from supervisors._life import Life, now
from supervisors._shown import Children, RestartRecord
from supervisors.exits import ExitReason
from supervisors.ref import Ref
from supervisors.supervisor import Supervisor


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeNode:
    """One actor at one moment."""

    id: str
    """Its id under its supervisor."""
    kind: str
    """The class that runs."""
    state: str
    """`up`, `down` or `restarting`."""
    uptime: float
    """Seconds since it started; 0 when it is not up."""
    mailbox: int
    """Messages waiting."""
    in_hand: str | None
    """The class of the message it is busy with."""
    in_hand_for: float
    """Seconds it has been busy with it."""
    restarts: int
    """Restarts of its children since it started; 0 for a worker."""
    last_restart: RestartRecord | None
    """The latest of those, with its cause."""
    children: tuple[TreeNode, ...] = ()
    """In start order."""

    def find(self, *path: str) -> TreeNode | None:
        """The node at the end of `path`, ids from here down."""
        if not path:
            return self
        for child in self.children:
            if child.id == path[0]:
                return child.find(*path[1:])
        return None

    @property
    def total_restarts(self) -> int:
        """Restarts in the whole tree below."""
        return self.restarts + sum(child.total_restarts for child in self.children)


def snapshot(root: Supervisor | Ref[Any]) -> TreeNode:
    """The tree below `root` at this moment."""
    ref = root.ref() if isinstance(root, Supervisor) else root
    return _node(ref.life.label, "up" if ref.is_alive() else "down", ref)


def _node(child_id: str, state: str, ref: Ref[Any] | None) -> TreeNode:
    if ref is None:
        return TreeNode(
            id=child_id,
            kind="-",
            state=state,
            uptime=0.0,
            mailbox=0,
            in_hand=None,
            in_hand_for=0.0,
            restarts=0,
            last_restart=None,
        )
    life = ref.life
    shown: Children = life.children() if life.children is not None else Children()
    in_hand, busy_for = _busy(life)
    return TreeNode(
        id=child_id,
        kind=ref.actor_class.__name__,
        state=state,
        uptime=now() - life.started_at if life.started_at else 0.0,
        mailbox=len(life.inbox),
        in_hand=in_hand,
        in_hand_for=busy_for,
        restarts=shown.restarts,
        last_restart=shown.history[-1] if shown.history else None,
        children=tuple(
            _node(status.spec.id, status.state.value, status.ref)
            for status in shown.statuses
        ),
    )


def _busy(life: Life) -> tuple[str | None, float]:
    envelope = life.in_hand
    if envelope is None:
        return None, 0.0
    return type(envelope.message).__name__, now() - life.in_hand_since


def draw(node: TreeNode) -> str:
    """The tree as text for people, one actor a line."""
    return "\n".join(_lines(node, "", ""))


def _lines(node: TreeNode, first: str, rest: str) -> list[str]:
    lines = [first + _label(node)]
    for number, child in enumerate(node.children, start=1):
        last = number == len(node.children)
        lines += _lines(
            child,
            rest + ("└─ " if last else "├─ "),
            rest + ("   " if last else "│  "),
        )
    return lines


def _label(node: TreeNode) -> str:
    words = [node.id]
    if node.state != "up":
        words.append(node.state)
    if node.in_hand is not None:
        words.append(f"busy with {node.in_hand} for {node.in_hand_for:.1f} s")
    if node.mailbox:
        words.append(f"{node.mailbox} waiting")
    if node.restarts:
        words.append(f"{node.restarts} restarted{_why(node.last_restart)}")
    return "  ".join((words[0], ", ".join(words[1:]))) if words[1:] else words[0]


def _why(record: RestartRecord | None) -> str:
    if record is None:
        return ""
    reason: ExitReason = record.reason
    return f" (last {record.child_id}: {reason})"
