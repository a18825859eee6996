"""Who is at the other end of a Unix socket, as the system tells it."""

from __future__ import annotations

import os
import socket
import struct
import sys
from typing import Final

_LOCAL_PEERCRED: Final = 0x001
"""macOS and the BSDs: the option that tells of the other end (sys/un.h)."""
_SOL_LOCAL: Final = 0
"""The level of that option."""
_XUCRED: Final = "=IIh"
"""The beginning of its answer: version, user, number of groups."""
_UCRED: Final = "=iII"
"""Linux's answer: process, user, group."""


def user_of(connection: socket.socket) -> int | None:
    """Return the user at the other end; `None` when the system does not tell."""
    # A text of its own, as a type checker knows one platform only.
    platform: str = sys.platform
    if platform == "linux":
        told = connection.getsockopt(
            socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize(_UCRED)
        )
        _, user, _ = struct.unpack(_UCRED, told)
        return int(user)
    if platform == "darwin":
        told = connection.getsockopt(_SOL_LOCAL, _LOCAL_PEERCRED, 128)
        _, user, _ = struct.unpack_from(_XUCRED, told)
        return int(user)
    return None


def is_same_user(connection: socket.socket) -> bool:
    """Whether this user is at the other end.

    Nobody else is let in, root included: root can do all this without asking. Where
    the system does not tell, the rights of folder and socket have to do.
    """
    user = user_of(connection)
    return user is None or user == os.geteuid()
