"""A read-only picture of a tree, taken without asking anybody.

It reads what each actor shows, so it also works while one of them is stuck, and it is
cheap enough for each second. `drawing` prints it for people.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from supervisors._actor_loop import Own
from supervisors._life import Life, now
from supervisors._shown import Children, RestartRecord
from supervisors._stacks import StackOf, look_at_stacks, no_stacks
from supervisors.ref import Ref
from supervisors.supervisor import AnySupervisor


@dataclass(frozen=True, slots=True, kw_only=True)
class Zombie:
    """A dead child whose thread is still in its code."""

    label: str
    """Its name, or its id under the supervisor."""
    thread: str
    """The name of the thread."""
    seconds: float
    """How long the child has been dead."""
    stack: str | None
    """Where the thread is, when the picture was taken with stacks."""


# Not frozen: to freeze one costs more than to take it, and a picture belongs to whoever
# took it.
@dataclass(slots=True, kw_only=True)
class TreeNode:
    """One actor at one moment. All spans are seconds."""

    id: str
    """Its id under its supervisor."""
    name: str | None
    """The name it is registered with, if any."""
    kind: str
    """The class that runs; `-` when nothing does."""
    state: str
    """`up`, `down` or `restarting`."""
    thread: str | None
    """The name of its thread; of its loop's thread, for an actor on a loop."""
    thread_id: int | None
    """That thread, as `threading.get_ident` gives it."""
    process_id: int | None
    """The operating-system process it runs, if it does."""
    uptime: float
    """Since it started; 0 when it is not up."""
    mailbox: int
    """Messages waiting."""
    oldest_for: float
    """How long ago the oldest message came that is not done with, the one in hand
    included."""
    in_hand: str | None
    """The class of the message it is busy with; `work of its own` without one."""
    in_hand_for: float
    """How long it has been busy with it."""
    suspended: bool
    """Whether it handles nothing until it is resumed."""
    restarts: int
    """Restarts of its children since it started; 0 for a worker."""
    history: tuple[RestartRecord, ...]
    """The latest 100 of those, oldest first, with cause and time."""
    taken_at: float
    """When the picture was taken, on the clock of `history`."""
    zombies: tuple[Zombie, ...]
    """Its dead children whose threads still run."""
    output: tuple[str, ...]
    """The last lines its process has written, if it runs one."""
    stack: str | None
    """Where it is while it is busy, when the picture was taken with stacks."""
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

    def walk(self) -> Iterator[TreeNode]:
        """This node and all below it, each before its children."""
        yield self
        for child in self.children:
            yield from child.walk()

    @property
    def last_restart(self) -> RestartRecord | None:
        """The latest restart of a child, with its cause."""
        return self.history[-1] if self.history else None

    @property
    def total_restarts(self) -> int:
        """Restarts in the whole tree below."""
        return sum(node.restarts for node in self.walk())

    def to_dict(self, *, output: bool = False) -> dict[str, Any]:
        """The tree as plain values that go into JSON, for tools.

        Of messages there are class names only, never what they hold.

        Args:
            output: Whether to include what processes have written, which may hold
                secrets.
        """
        return {
            "id": self.id,
            "name": self.name,
            "kind": self.kind,
            "state": self.state,
            "thread": self.thread,
            "thread_id": self.thread_id,
            "process_id": self.process_id,
            "uptime": self.uptime,
            "mailbox": self.mailbox,
            "oldest_for": self.oldest_for,
            "in_hand": self.in_hand,
            "in_hand_for": self.in_hand_for,
            "suspended": self.suspended,
            "restarts": self.restarts,
            "history": [self._record(record) for record in self.history],
            "zombies": [_zombie_to_dict(zombie) for zombie in self.zombies],
            "output": list(self.output) if output else [],
            "stack": self.stack,
            "children": [child.to_dict(output=output) for child in self.children],
        }

    def _record(self, record: RestartRecord) -> dict[str, Any]:
        return {
            "child_id": record.child_id,
            "seconds_ago": self.taken_at - record.at,
            "reason": str(record.reason),
        }


def _zombie_to_dict(zombie: Zombie) -> dict[str, Any]:
    return {
        "label": zombie.label,
        "thread": zombie.thread,
        "seconds": zombie.seconds,
        "stack": zombie.stack,
    }


def snapshot(root: AnySupervisor | Ref[Any], *, stacks: bool = False) -> TreeNode:
    """The tree below `root` at this moment; no actor is asked.

    Args:
        root: A supervisor, or any actor of a tree.
        stacks: Whether to say where busy actors and zombies are in their code, which
            costs more than all the rest.

    Example:
        >>> from supervisors import Actor, ChildSpec, Supervisor
        >>> with Supervisor.start([ChildSpec(id="clock", actor=Actor)]) as top:
        ...     [(node.id, node.kind, node.state) for node in snapshot(top).walk()]
        [('root', 'SupervisorActor', 'up'), ('clock', 'Actor', 'up')]
    """
    stack_of = look_at_stacks() if stacks else no_stacks
    if isinstance(root, Ref):
        return _node(root.life.label, None, "up", root, stack_of)
    ref = root.ref()
    return _node(ref.life.label, root.name, "up", ref, stack_of)


def _node(
    child_id: str, name: str | None, state: str, ref: Ref[Any] | None, stack_of: StackOf
) -> TreeNode:
    if ref is None:
        return _nobody(child_id, name, state)
    life = ref.life
    up = not life.over()
    clock_now = life.clock.monotonic()
    shown: Children = _NO_CHILDREN if life.children is None else life.children()
    in_hand, thread, started_at = life.in_hand, life.thread, life.started_at
    came = life.inbox.oldest()
    return TreeNode(
        id=child_id,
        name=name,
        kind=ref.actor_class.__name__,
        state=state if up else "down",
        thread=None if thread is None else thread.name,
        thread_id=None if thread is None else thread.ident,
        process_id=None if life.process_id is None else life.process_id(),
        uptime=clock_now - started_at if up and started_at is not None else 0.0,
        mailbox=waiting(life),
        oldest_for=0.0 if came is None else now() - came,
        in_hand=None if in_hand is None else _named(in_hand.message),
        in_hand_for=0.0 if in_hand is None else clock_now - life.in_hand_since,
        suspended=life.resumed is not None,
        restarts=shown.restarts,
        history=shown.history,
        taken_at=clock_now,
        zombies=tuple(_zombie(dead, stack_of) for dead in shown.zombies),
        output=() if life.output is None else life.output(),
        stack=None if in_hand is None else stack_of(life),
        children=tuple(
            [
                _node(
                    status.spec.id,
                    status.spec.name,
                    status.state.value,
                    status.ref,
                    stack_of,
                )
                for status in shown.statuses
            ]
        ),
    )


_NO_CHILDREN = Children()


def _named(message: object) -> str:
    """What a picture calls a message; an actor that woke by itself has none."""
    return "work of its own" if message is None else type(message).__name__


def waiting(life: Life) -> int:
    """How many messages wait in an actor's mailbox."""
    in_hand = life.in_hand
    taken = in_hand is not None and in_hand.__class__ is not Own
    return max(0, life.inbox.undone() - taken)


def _nobody(child_id: str, name: str | None, state: str) -> TreeNode:
    return TreeNode(
        id=child_id,
        name=name,
        kind="-",
        state=state,
        thread=None,
        thread_id=None,
        process_id=None,
        uptime=0.0,
        mailbox=0,
        oldest_for=0.0,
        in_hand=None,
        in_hand_for=0.0,
        suspended=False,
        restarts=0,
        history=(),
        taken_at=0.0,
        zombies=(),
        output=(),
        stack=None,
    )


def _zombie(life: Life, stack_of: StackOf) -> Zombie:
    since = life.abandoned_at
    return Zombie(
        label=life.label,
        thread="-" if life.thread is None else life.thread.name,
        seconds=0.0 if since is None else now() - since,
        stack=stack_of(life),
    )
