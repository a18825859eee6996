"""Pictures, generated: real PNG files, small and of two megabytes."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable, Mapping
from functools import cache
from typing import Final


def _chunk(kind: bytes, content: bytes) -> bytes:
    checked = kind + content
    return (
        struct.pack(">I", len(content))
        + checked
        + struct.pack(">I", zlib.crc32(checked))
    )


@cache
def png(side: int, seed: int = 0) -> bytes:
    """Return a square picture of coloured noise, which no packing makes smaller."""
    dice = random.Random(seed)
    # Each line begins with the number of its filter; 0 is none.
    lines = b"".join(b"\0" + dice.randbytes(3 * side) for _ in range(side))
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            _chunk(b"IHDR", head),
            _chunk(b"IDAT", zlib.compress(lines, level=1)),
            _chunk(b"IEND", b""),
        ]
    )


PICTURES: Final[Mapping[str, Callable[[], bytes]]] = {
    "one pixel": lambda: png(1),
    "2 MB": lambda: png(840),
    "another 2 MB": lambda: png(840, seed=1),
}
"""Makers of pictures by name."""
