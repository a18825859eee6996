"""Whose run it is: one owner at a time, and how another one may take it over.

An owner is known by its process. It shows that it lives with a beat: a time it writes
every now and then. Whether an owner still counts is decided here from values; the
record asks and acts.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

BEAT_EVERY: Final = 2.0
"""Seconds after which an owner writes a new beat."""
STALE_AFTER: Final = 20.0
"""Seconds after its last beat from which an owner may be taken over."""

open_here: Final[set[str]] = set()
"""Tokens of the owners in this process. Adding one and discarding it are one step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Who works on a run."""

    pid: int
    """Its process."""
    started: str
    """When that process started, in the kernel's words; empty where nobody says."""
    host: str
    """Its machine, as people call it."""
    world: str
    """In which numbering of processes: a boot of a machine, and a container in it."""
    token: str
    """Tells two owners in one process apart."""
    since: float = 0.0
    """When it took the run, in seconds since 1970."""
    beat: float = 0.0
    """When it was last seen alive, in seconds since 1970."""

    def to_json(self) -> str:
        """Return who it is as text for the file; the times stand beside it."""
        told = asdict(self)
        del told["since"], told["beat"]
        return json.dumps(told)

    @classmethod
    def from_json(cls, text: str, *, since: float, beat: float) -> Owner:
        """Return the owner of such a text.

        Raises:
            ValueError: It is none.
            TypeError: It is none.
        """
        return cls(**json.loads(text), since=since, beat=beat)


def this_process(now: float) -> Owner:
    """Return a new owner in this process."""
    return Owner(
        pid=os.getpid(),
        started=started(os.getpid()),
        host=socket.gethostname(),
        world=_world(),
        token=secrets.token_hex(8),
        since=now,
        beat=now,
    )


def is_alive(owner: Owner, now: float) -> bool:
    """Whether an owner still counts, so that nobody may take its run.

    An owner whose process is gone is dead at once; one that has not been seen for
    `STALE_AFTER` may be frozen, and counts no more either.

    Args:
        owner: The owner the file names.
        now: Seconds since 1970.
    """
    if owner.world == _world():
        if owner.pid == os.getpid() and owner.started == started(owner.pid):
            # In this process it is known for certain, however long it was busy.
            return owner.token in open_here
        if not _is_running(owner.pid) or started(owner.pid) != owner.started:
            return False
    # The wall clock may have been set back since; then the beat lies ahead.
    return abs(now - owner.beat) <= STALE_AFTER


def started(pid: int) -> str:
    """Return when a process started, in the kernel's words.

    Empty when there is none of that number, when it has ended and nobody has asked
    how, and on systems that do not say.
    """
    try:
        told = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return ""
    # Behind the name, which stands in brackets and may hold anything.
    words = told.rpartition(b")")[2].split()
    return "" if words[0] in {b"Z", b"X"} else words[19].decode("ascii")


def _is_running(pid: int) -> bool:
    if os.name == "nt":
        # Signal 0 would end the process there; its beat has to tell.
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@lru_cache(maxsize=1)
def _world() -> str:
    parts = [socket.gethostname()]
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")
        parts += [boot.strip(), str(Path("/proc/self/ns/pid").readlink())]
    except OSError:
        # No Linux: machine and process have to do.
        pass
    return " ".join(parts)
