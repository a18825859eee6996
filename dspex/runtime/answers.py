"""What a process says of its trees when it is asked through the socket.

`ps`, `tree` and `providers`. Nobody is asked for the first two; the clients of the
providers are asked for the third, and those that do not answer are named.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dspex.client.standing import ClientStanding
from dspex.control import answers
from dspex.control.door import door
from dspex.core.errors import ConfigurationError
from dspex.core.home import home
from supervisors import Ref, draw, snapshot

if TYPE_CHECKING:
    from dspex.runtime.runtime import Runtime


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Guest:
    """A tree that can be looked into, from its start to its end."""

    runtime: Runtime
    """What runs in it."""
    root: Ref[Any]
    """Its top, in this incarnation."""
    since: float
    """When it came, in seconds since 1970."""


class _Guests:
    """The trees of this process that want to be seen."""

    def __init__(self) -> None:
        # Protects the list: trees start and end in any thread.
        self._lock = threading.Lock()
        self._guests: list[_Guest] = []

    def add(self, guest: _Guest) -> None:
        with self._lock:
            self._guests.append(guest)

    def remove(self, guest: _Guest) -> None:
        with self._lock:
            self._guests = [each for each in self._guests if each is not guest]

    def all(self) -> tuple[_Guest, ...]:
        with self._lock:
            return tuple(self._guests)

    def forget(self) -> None:
        """After a fork: the trees are the parent's."""
        self._lock = threading.Lock()
        self._guests = []


_guests = _Guests()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_guests.forget)


def let_in(runtime: Runtime, root: Ref[Any]) -> None:
    """Have a tree seen from outside until it ends, unless it is not to be.

    Args:
        runtime: What runs in the tree.
        root: The top of it that has just started.
    """
    config = runtime.config
    if not config.control:
        return
    try:
        where = config.home or home()
    except ConfigurationError:
        # Who asks from outside finds a process by its home.
        return
    guest = _Guest(runtime=runtime, root=root, since=time.time())
    for verb, answer in _ANSWERS.items():
        answers.register(verb, answer)
    _guests.add(guest)
    door.enter(guest, where, in_home=config.persist)
    # It may end without anybody closing it: it gave up, or its own tree stopped it.
    root.monitor(lambda _reason: _show_out(guest))


def show_out(runtime: Runtime) -> None:
    """Have the trees of a runtime seen no more."""
    for guest in _guests.all():
        if guest.runtime is runtime:
            _show_out(guest)


def _show_out(guest: _Guest) -> None:
    # In this order: of two threads that do this, the later one waits at the door until
    # the other has closed it.
    door.leave(guest)
    _guests.remove(guest)


# The verbs.


def _process(_arguments: Mapping[str, Any]) -> Any:
    guests = _guests.all()
    # No words of the command line besides its first: there may be a key among them.
    return {
        "pid": os.getpid(),
        "program": _program(),
        "folder": _folder(),
        "since": min((each.since for each in guests), default=time.time()),
        "trees": len(guests),
        "threads": threading.active_count(),
        "python": sys.version.split()[0],
        "verbs": list(answers.verbs()),
    }


def _trees(arguments: Mapping[str, Any]) -> Any:
    stacks = bool(arguments.get("stacks"))
    told = []
    for guest in _guests.all():
        picture = snapshot(guest.root, stacks=stacks)
        picture.id = "dspex"
        told.append({"text": draw(picture), "tree": picture.to_dict()})
    return {"pid": os.getpid(), "trees": told}


def _providers(_arguments: Mapping[str, Any]) -> Any:
    told: list[Any] = []
    silent: list[str] = []
    for guest in _guests.all():
        survey = guest.runtime.survey()
        told += [_provider(standing) for standing in survey.standings]
        silent += survey.silent
    return {"pid": os.getpid(), "providers": told, "silent": silent}


_ANSWERS = {"ps": _process, "tree": _trees, "providers": _providers}


def _provider(standing: ClientStanding) -> dict[str, Any]:
    waits = Counter(call.held_by.value for call in standing.calls)
    return {
        "provider": standing.label,
        "calls": len(standing.calls),
        "held_by": dict(waits),
        "breakers": [
            {"model": each.model, "open_for": each.open_for, "retry_in": each.retry_in}
            for each in standing.breakers
        ],
    }


def _program() -> str:
    """Return what the process is called by people."""
    first = Path(sys.argv[0]) if sys.argv and sys.argv[0] else None
    if first is None or first.name in ("-c", "-"):
        return Path(sys.executable).name
    return first.parent.name if first.name == "__main__.py" else first.name


def _folder() -> str | None:
    try:
        return str(Path.cwd())
    except OSError:
        # It was deleted meanwhile.
        return None
