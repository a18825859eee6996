"""What a process has: threads at work, open files, sockets, actors, tasks, children."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections import Counter
from pathlib import Path

from supervisors import _census
from supervisors._threads import THREADS

SETTLE_WITHIN = 10.0
"""Seconds that what was given up may take to be gone."""

_SELF = Path("/proc/self")


def counted() -> Counter[str]:
    """What this process has at this moment, by kind and name.

    A thread that waits to be used again does not count, as it ends by itself.
    """
    counts: Counter[str] = Counter()
    counts["threads"] = threading.active_count() - len(THREADS._idle)
    counts.update(f"actor {life.label}" for life in _census.alive())
    counts.update(f"zombie {life.label}" for life in _census.zombies())
    gc.collect()
    counts["tasks"] = sum(
        isinstance(one, asyncio.Task) and not one.done() for one in gc.get_objects()
    )
    counts.update(f"file {name}" for name in _open_files())
    counts["processes"] = len(_children())
    return counts


def left_since(before: Counter[str]) -> dict[str, int]:
    """What there is more than before, once that has had its time to go; else empty."""
    patience = threading.Event()
    give_up_at = time.monotonic() + SETTLE_WITHIN
    while True:
        more = dict(counted() - before)
        if not more or time.monotonic() > give_up_at:
            return more
        patience.wait(0.02)


def _open_files() -> list[str]:
    """The kinds of open files; none where the system does not show them."""
    names = []
    for entry in (_SELF / "fd").iterdir() if _SELF.exists() else ():
        try:
            target = str(entry.readlink())
        except OSError:
            # It was open for the listing itself.
            continue
        # A number says nothing, and another file may have it next time.
        names.append(target.partition("[")[0])
    return names


def _children() -> list[str]:
    tasks = (_SELF / "task").iterdir() if _SELF.exists() else ()
    children: list[str] = []
    for task in tasks:
        try:
            children += (task / "children").read_text(encoding="ascii").split()
        except OSError:
            # A thread that has just ended, or a system without this file.
            continue
    return children
