"""What an actor of the cache still finds in its mailbox when it is asked to stop.

A shutdown overtakes the messages that wait. Answers that were paid for are among them,
so they are taken out and dealt with first.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def leftovers(inbox: Any, *kinds: type) -> Iterator[Any]:
    """Take the messages of these kinds out of a mailbox; the others stay in it.

    For `on_end`, where the mailbox is still open: `leftovers(self.actor_inbox, ...)`.
    """
    others = []
    while not inbox.empty():
        envelope = inbox.get_nowait()
        if envelope is None:
            # Somebody poked it.
            continue
        if isinstance(envelope.message, kinds):
            yield envelope.message
        else:
            others.append(envelope)
    for envelope in others:
        inbox.put_back(envelope)
