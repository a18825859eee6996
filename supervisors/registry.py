"""Names of actors, so that a restart need not tell anybody.

A registry belongs to one tree: two trees in one process never collide. It is a table
behind a lock and not an actor, because every call looks a name up and must not wait
for anybody (OTP keeps its names in a shared table for the same reason).

What differs from Elixir's `Registry`: the owner is an argument, listeners hear why an
owner ended, and one can wait for a name.
"""

from __future__ import annotations

import dataclasses
import functools
import threading
from collections.abc import Callable, Hashable
from typing import Any, Literal

from supervisors._awaited_names import awaited, awaited_on_loop, nobody
from supervisors._life import Life
from supervisors._name_news import Listener, NameNews, Registered, Unregistered
from supervisors._name_table import Entry, NameTable, Updated
from supervisors._name_waiters import Found, NameWaiters, Outcome, answer, twin
from supervisors.errors import (
    ActorDownError,
    AlreadyRegisteredError,
    ConfigError,
)
from supervisors.exits import NO_PROCESS, ExitReason
from supervisors.ref import Ref


class Registry:
    """Keys of living actors. Any thread may use it, and no callback runs under a lock.

    With `unique` keys a key has one living owner, and is its name; with `duplicate`
    keys it has many, as the subscribers of a topic. An owner's entries go at its end,
    before anybody is told of that end; from the end on they are found no more.

    Example:
        >>> from supervisors import Actor
        >>> topics = Registry(keys="duplicate")
        >>> reader = Actor.start()
        >>> topics.register("news", reader, "front page")
        >>> [entry.value for entry in topics.lookup("news")]
        ['front page']
        >>> reader.kill(), topics.lookup("news")
        (True, ())
    """

    def __init__(self, keys: Literal["unique", "duplicate"] = "unique") -> None:
        if keys not in ("unique", "duplicate"):
            msg = (
                f"keys={keys!r} says nothing about a key's owners. Pass 'unique' for "
                "names, or 'duplicate' for keys that many actors have."
            )
            raise ConfigError(msg)
        self._unique = keys == "unique"
        # Protects the fields below. Reentrant, because a finaliser or a signal's
        # handler may come in while its own thread holds it.
        self._lock = threading.RLock()
        self._changes = 0
        self._table = NameTable()
        self._waiters = NameWaiters()
        self._graves: dict[Hashable, ActorDownError] = {}
        self._meta: dict[Hashable, Any] = {}
        self._closed: ActorDownError | None = None
        self._news = NameNews()

    @property
    def unique(self) -> bool:
        """Whether a key has at most one living owner."""
        return self._unique

    # Coming and going.

    def register(self, key: Hashable, ref: Ref[Any], value: Any = None) -> None:
        """Give `ref` the key, with a value for others to see, until it ends.

        A unique key whose owner is dead is free at once. With duplicate keys an actor
        may have the same key several times.

        Raises:
            AlreadyRegisteredError: A living actor has this unique key, be it `ref`.
            ActorDownError: `ref` is dead, or the tree is over.
        """
        if not ref.is_alive():
            raise ref.life.error(ref.wait(0) or NO_PROCESS)
        entry = Entry(key, ref, value)
        with self._lock:
            if self._closed is not None:
                raise twin(self._closed)
            owner = self._living(key) if self._unique else None
            if owner is not None:
                raise AlreadyRegisteredError(key, owner)
            unwatched = not self._table.knows(ref.life)
            self._changes += 1
            self._table.add(entry)
            self._graves.pop(key, None)
            waiting = self._waiters.take(key)
            self._news.note(Registered(key, ref, value))
        if unwatched:
            self._watch(ref)
        answer(waiting, ref)
        self._news.tell()

    def unregister(self, key: Hashable, ref: Ref[Any]) -> None:
        """Take all entries that `ref` has under the key away; another's stay."""
        self._remove(self._own(key, ref))

    def unregister_match(
        self, key: Hashable, ref: Ref[Any], predicate: Callable[[Any], bool]
    ) -> None:
        """Take those entries of `ref` away whose value the predicate accepts."""
        own = self._own(key, ref)
        self._remove(tuple(entry for entry in own if predicate(entry.value)))

    def update_value(
        self, key: Hashable, ref: Ref[Any], change: Callable[[Any], Any]
    ) -> Updated | None:
        """Put `change(value)` in the place of the value `ref` has under a unique key.

        `change` is called again when somebody else changed the value meanwhile.

        Returns:
            Both values, or `None` when `ref` does not have the key.

        Raises:
            ConfigError: The registry has duplicate keys.
        """
        self._expect_unique()
        while own := self._own(key, ref):
            (old,) = own
            new = dataclasses.replace(old, value=change(old.value))
            with self._lock:
                if self._table.replace(old, new):
                    return Updated(new.value, old.value)
        return None

    # Looking.

    def lookup(self, key: Hashable) -> tuple[Entry, ...]:
        """The entries of the key, oldest first."""
        with self._lock:
            found = self._table.at(key)
        return _living_ones(found)

    def values(self, key: Hashable, ref: Ref[Any]) -> tuple[Any, ...]:
        """The values that `ref` has under the key, oldest first."""
        return tuple(entry.value for entry in self._own(key, ref))

    def keys(self, ref: Ref[Any]) -> tuple[Any, ...]:
        """The keys that `ref` has, each as often as it has it."""
        with self._lock:
            keys = self._table.keys(ref.life)
        return keys if ref.is_alive() else ()

    def names(self) -> tuple[str, ...]:
        """All keys in use that are text, sorted, each once."""
        keys = {entry.key for entry in self._everything()}
        return tuple(sorted(key for key in keys if isinstance(key, str)))

    def count(self) -> int:
        """How many entries there are."""
        with self._lock:
            return len(self._table)

    def count_match(self, key: Hashable, predicate: Callable[[Any], bool]) -> int:
        """How many entries of the key have a value that the predicate accepts."""
        return sum(1 for entry in self.lookup(key) if predicate(entry.value))

    def select(self, predicate: Callable[[Entry], bool]) -> tuple[Entry, ...]:
        """The entries of all keys that the predicate accepts."""
        return tuple(entry for entry in self._everything() if predicate(entry))

    def dispatch(
        self, key: Hashable, action: Callable[[tuple[Entry, ...]], object]
    ) -> None:
        """Call `action` once with all entries of the key, if there are any."""
        found = self.lookup(key)
        if found:
            action(found)

    @property
    def changes(self) -> int:
        """How often an entry came or went: while it is the same, so are the owners."""
        return self._changes

    # Names: unique keys that are called, awaited and mourned.

    def whereis(self, key: Hashable) -> Ref[Any] | None:
        """The actor of that name now, or `None`.

        Raises:
            ConfigError: The registry has duplicate keys.
        """
        self._expect_unique()
        with self._lock:
            return self._living(key)

    def resolve(self, key: Hashable) -> Ref[Any]:
        """The actor of that name now.

        Raises:
            ActorDownError: There is none; when the tree gave up, with its reason.
            ConfigError: The registry has duplicate keys.
        """
        self._expect_unique()
        with self._lock:
            known = self._known(key)
        if known is None:
            raise nobody(key)
        if isinstance(known, ActorDownError):
            raise twin(known)
        return known

    def when_registered(self, key: Hashable, callback: Found) -> Callable[[], None]:
        """Call `callback` once: with the actor of that name as soon as there is one.

        When none will come, because its supervisor or the tree gave up, it gets the
        `ActorDownError` that `resolve` would raise. It is called at once when either
        is known already, otherwise in the thread that brings the news; so it must be
        quick, and when it raises that is only reported.

        Returns:
            A function that ends the waiting. After it, `callback` is not called, unless
            another thread was about to.

        Raises:
            ConfigError: The registry has duplicate keys.
        """
        self._expect_unique()
        with self._lock:
            known = self._known(key)
            if known is None:
                ticket = self._waiters.add(key, callback)
                return functools.partial(self._stop_waiting, key, ticket)
        answer((callback,), known)
        return _nothing_to_end

    def await_name(self, key: Hashable, timeout: float | None = None) -> Ref[Any]:
        """The actor of that name, waiting up to `timeout` seconds for it to come.

        Raises:
            ActorDownError: It did not come, or its tree gave up.
            ConfigError: The registry has duplicate keys.
            ScopeCancelledError: The work this call belongs to was given up.
        """
        return awaited(self, key, timeout)

    async def await_name_on_loop(
        self, key: Hashable, timeout: float | None = None
    ) -> Ref[Any]:
        """As `await_name`, on any event loop, without blocking it."""
        return await awaited_on_loop(self, key, timeout)

    def bury(self, key: Hashable, error: ActorDownError) -> None:
        """Answer calls to the name with `error` until somebody has it again."""
        with self._lock:
            self._graves[key] = error
            waiting = self._waiters.take(key)
        answer(waiting, error)

    def close(self, error: ActorDownError) -> None:
        """Answer everybody who waits or asks later with `error`: the tree is over."""
        with self._lock:
            self._closed = error
            waiting = self._waiters.take_all()
            # Those who are dead are about to leave by themselves, with their reasons.
            self._remove_locked(_living_ones(self._table.everything()))
        answer(waiting, error)
        self._news.tell()

    @property
    def closed(self) -> ActorDownError | None:
        """Why the tree is over, or `None` while it is not."""
        return self._closed

    # Facts about the registry itself.

    def put_meta(self, key: Hashable, value: Any) -> None:
        """Keep a fact that belongs to the registry and to no actor."""
        with self._lock:
            self._meta[key] = value

    def meta(self, key: Hashable, default: Any = None) -> Any:
        """The fact kept under that key, or `default`."""
        with self._lock:
            return self._meta.get(key, default)

    def delete_meta(self, key: Hashable) -> None:
        """Forget a fact, if there is one."""
        with self._lock:
            self._meta.pop(key, None)

    # Listeners.

    def listen(self, listener: Listener) -> int:
        """Call `listener` with each `Registered` and `Unregistered` from now on.

        News come in the order of the changes, in the thread that made the change or in
        one that is telling at that moment, so a listener must be quick. One that raises
        is detached and reported once, and never harms whoever registered.

        Returns:
            The number that `unlisten` takes.
        """
        return self._news.listen(listener)

    def unlisten(self, number: int) -> None:
        """Stop calling the listener that `listen` numbered so."""
        self._news.unlisten(number)

    # Inside.

    def _expect_unique(self) -> None:
        if not self._unique:
            msg = (
                "a duplicate key has many owners, and one was asked for. Use lookup() "
                "or dispatch(), or a registry with unique keys."
            )
            raise ConfigError(msg)

    def _living(self, key: Hashable) -> Ref[Any] | None:
        for entry in self._table.at(key):
            if entry.ref.is_alive():
                return entry.ref
        return None

    def _known(self, key: Hashable) -> Outcome | None:
        return self._living(key) or self._closed or self._graves.get(key)

    def _own(self, key: Hashable, ref: Ref[Any]) -> tuple[Entry, ...]:
        with self._lock:
            found = self._table.own(ref.life, key)
        return _living_ones(found)

    def _everything(self) -> tuple[Entry, ...]:
        with self._lock:
            found = self._table.everything()
        return _living_ones(found)

    def _watch(self, ref: Ref[Any]) -> None:
        life = ref.life
        life.before_end(functools.partial(self._forget, life))
        if life.over():
            # It may have been too late for that step; the reason comes in any case.
            ref.monitor(functools.partial(self._forget, life))

    def _forget(self, life: Life, reason: ExitReason) -> None:
        with self._lock:
            self._changes += 1
            for entry in self._table.forget(life):
                self._news.note(Unregistered(entry.key, entry.ref, reason))
        self._news.tell()

    def _remove(self, entries: tuple[Entry, ...]) -> None:
        with self._lock:
            self._remove_locked(entries)
        self._news.tell()

    def _remove_locked(self, entries: tuple[Entry, ...]) -> None:
        self._changes += 1
        for entry in entries:
            if self._table.remove(entry):
                self._news.note(Unregistered(entry.key, entry.ref, None))

    def _stop_waiting(self, key: Hashable, ticket: object) -> None:
        with self._lock:
            self._waiters.drop(key, ticket)


def _living_ones(entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
    return tuple(entry for entry in entries if entry.ref.is_alive())


def _nothing_to_end() -> None:
    """What ends a waiting that was over at once."""
