"""Signatures of saved programs that are still there, so that loading finds them again.

A signature is a class, and two classes are never equal. A program that is loaded where
it was saved would have signatures that are equal in all they say and yet not `==` to
those it was saved with, so the same class is used again while somebody holds it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any
from weakref import WeakValueDictionary

from dspex.core.signature import Signature

# By what the file says of them. Two threads that load at once may each make a class.
_known: WeakValueDictionary[bytes, type[Signature]] = WeakValueDictionary()


def remember(node: Mapping[str, Any], signature: type[Signature]) -> None:
    """Keep in mind which signature a node was written of."""
    _known[_digest(node)] = signature


def known_or(node: Mapping[str, Any], made: type[Signature]) -> type[Signature]:
    """Return the signature a node was written of or read as, while it lives.

    Args:
        node: What the file says.
        made: The signature made of it, which is returned when there is no other, or
            when that one has been changed since.
    """
    known = _known.get(_digest(node))
    if known is not None and known.equals(made):
        return known
    remember(node, made)
    return made


def _digest(node: Mapping[str, Any]) -> bytes:
    return hashlib.sha256(json.dumps(node, sort_keys=True).encode()).digest()
