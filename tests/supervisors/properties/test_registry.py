"""Random use of a registry and random deaths, against a plain list of entries."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from supervisors import (
    ActorDownError,
    AlreadyRegisteredError,
    Entry,
    Ref,
    Registered,
    Registry,
    Unregistered,
    Updated,
)
from supervisors.exits import KILLED, SHUTDOWN, ExitReason
from supervisors.testing import assert_no_actor_left
from tests.supervisors.actors.parts import WAIT, Scripted

KEYS = ("a", "b", 3)
OWNERS = 3

keys = st.sampled_from(KEYS)
owners = st.integers(min_value=0, max_value=OWNERS - 1)
values = st.integers(min_value=0, max_value=3)


@dataclass(frozen=True)
class Row:
    """One entry as the model knows it, owners by their number of incarnation."""

    key: Any
    owner: int
    value: int


@dataclass
class Waiter:
    """Somebody who waits for a key: what should come, and what came."""

    key: Any
    expected: list[Any]
    found: list[Any]
    cancel: Any = None


class Names(RuleBasedStateMachine):
    """A real registry with real actors, and its model, side by side."""

    kind: Literal["unique", "duplicate"]

    @initialize()
    def start(self) -> None:
        self.registry = Registry(keys=self.kind)
        self.refs: list[Ref[Any]] = []
        self.slots = [self.born() for _ in range(OWNERS)]
        self.rows: list[Row] = []
        self.graves: dict[Any, str] = {}
        self.closed = False
        self.waiters: list[Waiter] = []
        self.heard: list[Any] = []
        self.expected: list[Any] = []
        self.registry.listen(self.heard.append)

    def born(self) -> int:
        self.refs.append(Scripted.start())
        return len(self.refs) - 1

    # What the model does.

    @property
    def unique(self) -> bool:
        return self.kind == "unique"

    def entry(self, row: Row) -> Entry:
        return Entry(row.key, self.refs[row.owner], row.value)

    def drop(self, rows: list[Row], reason: ExitReason | None) -> None:
        for row in rows:
            self.rows.remove(row)
            self.expected.append(Unregistered(row.key, self.refs[row.owner], reason))

    def own(self, owner: int, key: Any) -> list[Row]:
        return [row for row in self.rows if (row.owner, row.key) == (owner, key)]

    def answer(self, key: Any, outcome: Any) -> None:
        for waiter in self.waiters:
            if waiter.key == key and not waiter.expected:
                waiter.expected.append(outcome)

    def known(self, key: Any) -> Any:
        """What somebody who asks for the name now should get, if anything."""
        for row in self.rows:
            if row.key == key:
                return self.refs[row.owner]
        return "over" if self.closed else self.graves.get(key)

    # What happens.

    @rule(slot=owners, key=keys, value=values)
    def register(self, slot: int, key: Any, value: int) -> None:
        owner = self.slots[slot]
        ref = self.refs[owner]
        holders = [row for row in self.rows if row.key == key]
        if self.closed:
            with pytest.raises(ActorDownError, match="over"):
                self.registry.register(key, ref, value)
        elif self.unique and holders:
            with pytest.raises(AlreadyRegisteredError) as caught:
                self.registry.register(key, ref, value)
            assert caught.value.ref is self.refs[holders[0].owner]
        else:
            self.registry.register(key, ref, value)
            self.rows.append(Row(key, owner, value))
            self.expected.append(Registered(key, ref, value))
            self.graves.pop(key, None)
            self.answer(key, ref)

    @rule(slot=owners, key=keys)
    def unregister(self, slot: int, key: Any) -> None:
        owner = self.slots[slot]
        self.registry.unregister(key, self.refs[owner])
        self.drop(self.own(owner, key), None)

    @rule(slot=owners, key=keys, least=values)
    def unregister_match(self, slot: int, key: Any, least: int) -> None:
        owner = self.slots[slot]
        self.registry.unregister_match(
            key, self.refs[owner], lambda value: value >= least
        )
        gone = [row for row in self.own(owner, key) if row.value >= least]
        self.drop(gone, None)

    @precondition(lambda self: self.unique)
    @rule(slot=owners, key=keys, more=values)
    def update_value(self, slot: int, key: Any, more: int) -> None:
        owner = self.slots[slot]
        updated = self.registry.update_value(
            key, self.refs[owner], lambda value: value + more
        )
        own = self.own(owner, key)
        if not own:
            assert updated is None
            return
        (row,) = own
        assert updated == Updated(row.value + more, row.value)
        self.rows[self.rows.index(row)] = replace(row, value=row.value + more)

    @rule(slot=owners, kill=st.booleans())
    def an_owner_ends(self, slot: int, kill: bool) -> None:
        owner = self.slots[slot]
        ref = self.refs[owner]
        if kill:
            ref.kill()
        else:
            ref.shutdown()
            assert ref.wait(WAIT) is not None
        reason: ExitReason = KILLED if kill else SHUTDOWN
        # The registry tells of an owner's keys in the order in which it got them.
        for key in self.keys_of(owner):
            self.drop(self.own(owner, key), reason)
        self.slots[slot] = self.born()

    def keys_of(self, owner: int) -> list[Any]:
        return list(dict.fromkeys(row.key for row in self.rows if row.owner == owner))

    @precondition(lambda self: self.unique)
    @rule(key=keys)
    def somebody_waits(self, key: Any) -> None:
        known = self.known(key)
        waiter = Waiter(key, [] if known is None else [known], [])
        waiter.cancel = self.registry.when_registered(
            key,
            lambda found: waiter.found.append(
                found.name if isinstance(found, ActorDownError) else found
            ),
        )
        self.waiters.append(waiter)

    @precondition(lambda self: self.waiters)
    @rule(number=st.integers(min_value=0))
    def somebody_waits_no_more(self, number: int) -> None:
        waiter = self.waiters.pop(number % len(self.waiters))
        assert waiter.found == waiter.expected
        waiter.cancel()

    @precondition(lambda self: self.unique)
    @rule(key=keys)
    def bury(self, key: Any) -> None:
        self.registry.bury(key, ActorDownError(f"grave of {key}", KILLED))
        self.graves[key] = f"grave of {key}"
        if not self.closed:
            self.answer(key, f"grave of {key}")

    @precondition(lambda self: len(self.refs) > OWNERS + 2 and not self.closed)
    @rule()
    def close(self) -> None:
        self.registry.close(ActorDownError("over", KILLED))
        self.closed = True
        # Told key by key, the oldest entry of each first.
        self.drop(list(self.rows), None)
        for key in KEYS:
            self.answer(key, "over")

    # What must be so at any time.

    @invariant()
    def the_registry_is_as_the_model_says(self) -> None:
        if not hasattr(self, "registry"):
            return
        names = self.registry
        for key in KEYS:
            here = [row for row in self.rows if row.key == key]
            assert list(names.lookup(key)) == [self.entry(row) for row in here]
            assert names.count_match(key, lambda value: value > 1) == len(
                [row for row in here if row.value > 1]
            )
            for owner in self.slots:
                own = tuple(row.value for row in self.own(owner, key))
                assert names.values(key, self.refs[owner]) == own
        for owner, ref in enumerate(self.refs):
            mine = [row.key for row in self.rows if row.owner == owner]
            assert sorted(names.keys(ref), key=str) == sorted(mine, key=str)
        assert names.count() == len(self.rows)
        texts = {row.key for row in self.rows if isinstance(row.key, str)}
        assert names.names() == tuple(sorted(texts))

    @invariant()
    def names_find_who_the_model_says(self) -> None:
        if not hasattr(self, "registry") or not self.unique:
            return
        for key in KEYS:
            known = self.known(key)
            if isinstance(known, Ref):
                assert self.registry.whereis(key) is known
                assert self.registry.resolve(key) is known
                continue
            assert self.registry.whereis(key) is None
            with pytest.raises(ActorDownError) as caught:
                self.registry.resolve(key)
            nobody = key if isinstance(key, str) else repr(key)
            assert caught.value.name == (known or nobody)

    @invariant()
    def everybody_has_heard_what_happened(self) -> None:
        if not hasattr(self, "registry"):
            return
        # Entries that go together may be told in any order among themselves.
        assert len(self.heard) == len(self.expected)
        assert sorted(map(repr, self.heard)) == sorted(map(repr, self.expected))
        for waiter in self.waiters:
            assert waiter.found == waiter.expected
        waiting = sum(1 for waiter in self.waiters if not waiter.expected)
        assert len(self.registry._waiters) == waiting

    def teardown(self) -> None:
        for ref in getattr(self, "refs", ()):
            ref.kill()
        if hasattr(self, "registry"):
            table = self.registry._table
            assert (len(table), table._by_key, table._by_owner) == (0, {}, {})
        assert_no_actor_left()


class UniqueNames(Names):
    kind = "unique"


class DuplicateNames(Names):
    kind = "duplicate"


@pytest.mark.parametrize("machine", [UniqueNames, DuplicateNames])
def test_a_registry_does_what_its_model_does(machine: type[Names]) -> None:
    run_state_machine_as_test(
        machine, settings=settings(max_examples=60, stateful_step_count=30)
    )
