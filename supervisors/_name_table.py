"""The entries of a registry, by key and by owner.

Holds no lock and calls nobody: its registry's lock protects it.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from supervisors._life import Life
from supervisors.ref import Ref


@dataclass(frozen=True, slots=True)
class Entry:
    """One key that an actor has in a registry."""

    key: Hashable
    """What it is found by."""
    ref: Ref[Any]
    """The actor that has it."""
    value: Any = None
    """What the actor wants others to know."""


@dataclass(frozen=True, slots=True)
class Updated:
    """What `Registry.update_value` did."""

    value: Any
    """The value there is now."""
    previous: Any
    """The value there was."""


_Bag = dict[int, Entry]
"""Entries by identity, oldest first: two that look alike are still two."""


class NameTable:
    """Two indexes over the same entries. Taking one out costs the same in any size.

    Invariant: both hold the same entries. Under a unique key there may be several for a
    moment: one of a living owner, behind those of dead ones that are about to go.
    """

    def __init__(self) -> None:
        self._by_key: dict[Hashable, _Bag] = {}
        # An owner stays, with or without entries, until `forget`.
        self._by_owner: dict[Life, dict[Hashable, _Bag]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def at(self, key: Hashable) -> tuple[Entry, ...]:
        """The entries of a key."""
        bag = self._by_key.get(key)
        return tuple(bag.values()) if bag else ()

    def everything(self) -> tuple[Entry, ...]:
        """The entries of all keys."""
        bags = self._by_key.values()
        return tuple(entry for bag in bags for entry in bag.values())

    def own(self, owner: Life, key: Hashable) -> tuple[Entry, ...]:
        """The entries an actor has under a key."""
        return tuple(self._by_owner.get(owner, {}).get(key, {}).values())

    def keys(self, owner: Life) -> tuple[Hashable, ...]:
        """The keys of an actor, each as often as it has it."""
        own = self._by_owner.get(owner, {})
        return tuple(key for key, bag in own.items() for _ in bag)

    def knows(self, owner: Life) -> bool:
        """Whether the actor has had an entry and is not forgotten yet."""
        return owner in self._by_owner

    def add(self, entry: Entry) -> None:
        """Put an entry behind those its key has."""
        own = self._by_owner.setdefault(entry.ref.life, {})
        for index in (self._by_key, own):
            index.setdefault(entry.key, {})[id(entry)] = entry
        self._count += 1

    def replace(self, old: Entry, new: Entry) -> bool:
        """Put `new` in for `old`, of the same key and owner; `False` if that is out."""
        bag = self._by_key.get(old.key, {})
        if id(old) not in bag:
            return False
        for held in (bag, self._by_owner[old.ref.life][old.key]):
            del held[id(old)]
            held[id(new)] = new
        return True

    def remove(self, entry: Entry) -> bool:
        """Take an entry out; `False` when it was out already."""
        if id(entry) not in self._by_key.get(entry.key, {}):
            return False
        _take(self._by_key, entry)
        _take(self._by_owner[entry.ref.life], entry)
        self._count -= 1
        return True

    def forget(self, owner: Life) -> tuple[Entry, ...]:
        """Take everything of an actor out, and return it."""
        own = self._by_owner.pop(owner, {})
        gone = tuple(entry for bag in own.values() for entry in bag.values())
        for entry in gone:
            _take(self._by_key, entry)
        self._count -= len(gone)
        return gone


def _take(index: dict[Hashable, _Bag], entry: Entry) -> None:
    bag = index[entry.key]
    del bag[id(entry)]
    if not bag:
        del index[entry.key]
