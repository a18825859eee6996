"""Names that find their actors."""

from __future__ import annotations

import gc
import logging
import threading
import weakref
from collections.abc import Callable, Hashable, Iterator
from typing import Any

import pytest

from supervisors import (
    ActorDownError,
    AlreadyRegisteredError,
    ConfigError,
    Crashed,
    Entry,
    Killed,
    NoProcess,
    Ref,
    Registered,
    Registry,
    RestartLimitError,
    Scope,
    ScopeCancelledError,
    Supervisor,
    Unregistered,
    Updated,
    within,
)
from supervisors._life import Life
from supervisors._name_news import NameNews
from supervisors.exits import KILLED, SHUTDOWN
from supervisors.testing import Probe
from tests.supervisors.actors.parts import (
    WAIT,
    BoomError,
    Scripted,
    crash,
    running,
    worker,
)


class Awaited(Registry):
    """Tells a probe when somebody begins to wait for a name."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = Probe()

    def when_registered(
        self, key: Hashable, callback: Callable[[Any], object]
    ) -> Callable[[], None]:
        cancel = super().when_registered(key, callback)
        self.begun(key)
        return cancel


@pytest.fixture
def registry() -> Awaited:
    return Awaited()


@pytest.fixture
def topics() -> Registry:
    return Registry(keys="duplicate")


@pytest.fixture
def ref() -> Iterator[Ref[Any]]:
    with running(Scripted) as ref:
        yield ref


@pytest.fixture
def other() -> Iterator[Ref[Any]]:
    with running(Scripted) as ref:
        yield ref


@pytest.fixture
def dead() -> Ref[Any]:
    ref = Scripted.start()
    ref.kill()
    return ref


def at_end_of(ref: Ref[Any], act: Callable[[], object]) -> list[Any]:
    """Kill `ref` and act while it is over but the registry has not heard of it.

    Call it before `ref` registers, so that this step is the first at its end. What
    `act` returned, or raised, is the only item of the list once `ref` is dead.
    """
    seen: list[Any] = []

    def step(_reason: object) -> None:
        try:
            seen.append(act())
        except Exception as error:
            seen.append(error)

    ref.life.before_end(step)
    return seen


# Unique keys.


def test_a_name_belongs_to_one_living_actor(
    registry: Registry, ref: Ref[Any], other: Ref[Any]
) -> None:
    registry.register("a", ref, 1)

    with pytest.raises(AlreadyRegisteredError) as caught:
        registry.register("a", other, 2)

    assert (caught.value.key, caught.value.ref) == ("a", ref)
    assert str(caught.value) == (
        "'a' is registered already, by 'Scripted', which lives; a unique key has one "
        "owner at a time. Use another key, or unregister or stop that actor first."
    )
    assert registry.lookup("a") == (Entry("a", ref, 1),)
    assert registry.resolve("a") is registry.whereis("a") is ref


def test_an_actor_has_a_unique_key_once(registry: Registry, ref: Ref[Any]) -> None:
    registry.register("a", ref, 1)

    with pytest.raises(AlreadyRegisteredError):
        registry.register("a", ref, 2)

    assert registry.values("a", ref) == (1,)


def test_an_owner_that_is_over_is_found_no_more(
    registry: Registry, other: Ref[Any]
) -> None:
    ref = Scripted.start()
    seen = at_end_of(
        ref,
        lambda: (
            registry.whereis("a"),
            registry.lookup("a"),
            registry.keys(ref),
            registry.values("a", ref),
            registry.names(),
            registry.select(lambda _: True),
            registry.update_value("a", ref, lambda value: value),
        ),
    )
    registry.register("a", ref)

    ref.kill()

    assert seen == [(None, (), (), (), (), (), None)]


def test_the_key_of_an_owner_that_is_over_can_be_taken_at_once(
    registry: Registry, other: Ref[Any]
) -> None:
    ref = Scripted.start()

    def take() -> Updated | None:
        registry.register("a", other, "new")
        return registry.update_value("a", other, str.upper)

    seen = at_end_of(ref, take)
    registry.register("a", ref, "old")

    ref.kill()

    assert seen == [Updated("NEW", "new")]
    assert registry.lookup("a") == (Entry("a", other, "NEW"),)
    assert registry.count() == 1


def test_a_dead_actor_gets_no_key(registry: Registry, dead: Ref[Any]) -> None:
    with pytest.raises(ActorDownError) as caught:
        registry.register("a", dead)

    assert caught.value.reason == Killed()
    assert registry.count() == 0


@pytest.mark.parametrize("how", ["kill", "shutdown", "crash"])
def test_death_unregisters_before_anybody_is_told(registry: Registry, how: str) -> None:
    ref = Scripted.start()
    registry.register("a", ref)
    seen = Probe()
    ref.monitor(lambda _reason: seen((registry.count(), registry.names())))

    match how:
        case "kill":
            ref.kill()
        case "shutdown":
            ref.shutdown()
        case _:
            crash(ref)

    assert seen.expect() == (0, ())


def test_who_dies_while_it_registers_leaves_nothing(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = Scripted.start()
    # Told when the key is in the table and the registry does not watch `ref` yet.
    registry.when_registered("a", lambda _found: None)
    before_end = Life.before_end

    def too_late(life: Life, step: Any) -> None:
        ref.kill()
        before_end(life, step)

    monkeypatch.setattr(Life, "before_end", too_late)
    heard = Probe()
    registry.listen(heard)

    registry.register("a", ref)

    assert registry.count() == 0
    assert {heard.expect(), heard.expect()} == {
        Registered("a", ref, None),
        Unregistered("a", ref, KILLED),
    }


def test_an_owner_is_watched_once_however_often_it_registers(
    registry: Registry, ref: Ref[Any]
) -> None:
    registry.register("first", ref)
    steps = len(ref.life._before_end)

    for _ in range(100):
        registry.register("a", ref)
        registry.unregister("a", ref)

    assert len(ref.life._before_end) == steps


@pytest.mark.parametrize("keys", ["unique", "duplicate"])
def test_nothing_is_kept_of_short_lived_owners(keys: Any) -> None:
    registry = Registry(keys=keys)
    lives: weakref.WeakSet[Any] = weakref.WeakSet()

    def live_and_die(number: int) -> None:
        ref = Scripted.start()
        lives.add(ref.life)
        registry.register("a", ref)
        registry.register(number, ref)
        ref.kill()
        assert ref.life.thread_left.wait(WAIT)

    for number in range(50):
        live_and_die(number)
    gc.collect()

    # The thread that ran the last actors may still have one of them in its hands.
    assert len(lives) <= 1
    table = registry._table
    assert (len(table), table._by_key, table._by_owner) == (0, {}, {})


def test_unregister_takes_the_name_away(registry: Registry, ref: Ref[Any]) -> None:
    registry.register("b", ref)
    registry.register("a", ref)
    registry.register(1, ref)
    assert registry.names() == ("a", "b")

    registry.unregister("a", ref)
    registry.unregister("a", ref)

    assert registry.names() == ("b",)
    assert registry.whereis("a") is None
    assert registry.keys(ref) == ("b", 1)


def test_unregister_leaves_the_entries_of_others(
    registry: Registry, ref: Ref[Any], other: Ref[Any]
) -> None:
    registry.register("a", ref)

    registry.unregister("a", other)

    assert registry.whereis("a") is ref


def test_a_value_is_changed_by_its_owner_only(
    registry: Registry, ref: Ref[Any], other: Ref[Any]
) -> None:
    registry.register("a", ref, 1)

    assert registry.update_value("a", other, lambda value: value + 1) is None
    assert registry.update_value("b", ref, lambda value: value + 1) is None
    assert registry.update_value("a", ref, lambda value: value + 1) == Updated(2, 1)
    assert registry.lookup("a") == (Entry("a", ref, 2),)
    assert registry.values("a", ref) == (2,)


def test_no_change_of_a_value_is_lost(registry: Registry, ref: Ref[Any]) -> None:
    registry.register("a", ref, 0)

    def meddle(value: int) -> int:
        if value < 2:
            registry.update_value("a", ref, lambda _: value + 2)
        return value + 10

    assert registry.update_value("a", ref, meddle) == Updated(12, 2)


def test_a_value_that_goes_while_it_is_changed_stays_gone(
    registry: Registry, ref: Ref[Any]
) -> None:
    registry.register("a", ref, 0)

    changed = registry.update_value("a", ref, lambda _: registry.unregister("a", ref))

    assert changed is None
    assert registry.count() == 0


def test_what_is_no_kind_of_keys_is_refused() -> None:
    with pytest.raises(ConfigError, match="'unique' for names, or 'duplicate'"):
        Registry(keys="some")  # type: ignore[arg-type] # what a user may write


# Duplicate keys.


def test_many_actors_have_a_duplicate_key(
    topics: Registry, ref: Ref[Any], other: Ref[Any]
) -> None:
    topics.register("t", ref, 1)
    topics.register("t", other, 2)
    topics.register("t", ref, 3)

    assert topics.lookup("t") == (
        Entry("t", ref, 1),
        Entry("t", other, 2),
        Entry("t", ref, 3),
    )
    assert topics.values("t", ref) == (1, 3)
    assert topics.keys(ref) == ("t", "t")
    assert topics.names() == ("t",)
    assert (topics.count(), topics.unique) == (3, False)


def test_entries_that_look_alike_are_two(topics: Registry, ref: Ref[Any]) -> None:
    topics.register("t", ref, 1)
    topics.register("t", ref, 1)
    assert topics.count() == 2

    topics.unregister("t", ref)

    assert topics.count() == 0


def test_unregister_match_takes_what_the_predicate_accepts(
    topics: Registry, ref: Ref[Any], other: Ref[Any]
) -> None:
    for number in range(4):
        topics.register("t", ref, number)
    topics.register("t", other, 2)

    topics.unregister_match("t", ref, lambda value: value % 2 == 0)

    assert topics.values("t", ref) == (1, 3)
    assert topics.values("t", other) == (2,)


def test_entries_are_counted_and_selected_by_what_they_hold(
    topics: Registry, ref: Ref[Any], other: Ref[Any]
) -> None:
    topics.register("t", ref, 1)
    topics.register("t", other, 2)
    topics.register("u", other, 3)

    assert topics.count_match("t", lambda value: value > 1) == 1
    assert topics.select(lambda entry: entry.ref is other) == (
        Entry("t", other, 2),
        Entry("u", other, 3),
    )


def test_dispatch_hands_all_entries_over_at_once(
    topics: Registry, ref: Ref[Any], other: Ref[Any]
) -> None:
    calls: list[tuple[Entry, ...]] = []
    topics.register("t", ref)
    topics.register("t", other)

    topics.dispatch("t", calls.append)
    topics.dispatch("nobody", calls.append)

    assert calls == [(Entry("t", ref), Entry("t", other))]


@pytest.mark.parametrize(
    "ask",
    [
        lambda topics, ref: topics.whereis("t"),
        lambda topics, ref: topics.resolve("t"),
        lambda topics, ref: topics.await_name("t", 0),
        lambda topics, ref: topics.when_registered("t", print),
        lambda topics, ref: topics.update_value("t", ref, abs),
    ],
    ids=["whereis", "resolve", "await_name", "when_registered", "update_value"],
)
def test_a_duplicate_key_is_no_name(
    topics: Registry, ref: Ref[Any], ask: Callable[[Registry, Ref[Any]], object]
) -> None:
    topics.register("t", ref)

    with pytest.raises(ConfigError, match="a duplicate key has many owners"):
        ask(topics, ref)


# Names, waiting and mourning.


def test_an_unknown_name_says_no_process(registry: Registry) -> None:
    with pytest.raises(ActorDownError) as caught:
        registry.resolve("nobody")

    assert caught.value.name == "nobody"
    assert caught.value.reason == NoProcess()


def test_an_unknown_key_that_is_no_text_is_named_too(registry: Awaited) -> None:
    with pytest.raises(ActorDownError) as caught:
        registry.resolve(("a", 1))

    assert caught.value.name == "('a', 1)"


def waiting(registry: Awaited, scope: Scope | None = None) -> Probe:
    """Somebody who waits for the name `a`; what comes of it comes by the probe."""
    probe = Probe()

    def wait() -> None:
        try:
            if scope is None:
                probe(registry.await_name("a", WAIT))
            else:
                with within(scope):
                    registry.await_name("a", WAIT)
        except Exception as error:
            probe(error)

    threading.Thread(target=wait, daemon=True).start()
    assert registry.begun.expect() == "a"
    return probe


def test_who_waits_for_a_name_gets_it_when_it_comes(
    registry: Awaited, ref: Ref[Any]
) -> None:
    probe = waiting(registry)

    registry.register("a", ref)

    assert probe.expect() is ref
    assert registry.await_name("a", 0) is ref


def test_who_waits_in_vain_is_told_when_the_time_is_over(registry: Registry) -> None:
    with pytest.raises(ActorDownError) as caught:
        registry.await_name("a", 0.001)

    assert caught.value.reason == NoProcess()
    assert len(registry._waiters) == 0


def test_who_waits_passes_over_a_dead_actor(registry: Registry) -> None:
    ref = Scripted.start()
    seen = at_end_of(ref, lambda: registry.await_name("a", 0.001))
    registry.register("a", ref)

    ref.kill()

    assert isinstance(seen[0], ActorDownError)


def test_who_waits_hears_that_the_tree_is_over(registry: Awaited) -> None:
    probe = waiting(registry)

    registry.close(ActorDownError("root", Killed()))

    assert probe.expect().reason == Killed()


def test_who_waits_hears_that_the_actor_will_not_come_back(registry: Awaited) -> None:
    probe = waiting(registry)

    registry.bury("a", RestartLimitError("a", SHUTDOWN))

    assert isinstance(probe.expect(), RestartLimitError)


def test_who_waits_in_a_scope_that_is_cancelled_stops_waiting(
    registry: Awaited,
) -> None:
    scope = Scope("example 1")
    probe = waiting(registry, scope)

    scope.cancel("deadline")

    assert isinstance(probe.expect(), ScopeCancelledError)
    assert len(registry._waiters) == 0


def test_in_a_cancelled_scope_nobody_gets_a_name(
    registry: Registry, ref: Ref[Any]
) -> None:
    registry.register("a", ref)
    scope = Scope("example 1")
    scope.cancel("deadline")

    with within(scope), pytest.raises(ScopeCancelledError):
        registry.await_name("a")


def test_an_actor_that_is_over_gets_no_name(
    registry: Registry, ref: Ref[Any], other: Ref[Any]
) -> None:
    probe = Probe()
    registry.register("a", other)

    def ask(_actor: Any) -> None:
        ref.kill()
        try:
            probe(registry.await_name("a", WAIT))
        except ScopeCancelledError as error:
            probe(error)

    ref.cast(ask)

    assert isinstance(probe.expect(), ScopeCancelledError)


def test_an_actor_that_is_killed_while_it_waits_stops_waiting(
    registry: Awaited, ref: Ref[Any]
) -> None:
    probe = Probe()

    def wait(_actor: Any) -> None:
        try:
            registry.await_name("a", WAIT)
        except ScopeCancelledError as error:
            probe(error)

    ref.cast(wait)
    assert registry.begun.expect() == "a"

    ref.kill()

    assert isinstance(probe.expect(), ScopeCancelledError)


def test_a_grave_is_gone_when_somebody_has_the_name_again(
    registry: Registry, ref: Ref[Any]
) -> None:
    registry.bury("a", RestartLimitError("a", SHUTDOWN))
    with pytest.raises(RestartLimitError):
        registry.resolve("a")

    registry.register("a", ref)
    registry.unregister("a", ref)

    with pytest.raises(ActorDownError) as caught:
        registry.resolve("a")
    assert caught.value.reason == NoProcess()


def test_a_closed_registry_gives_each_caller_an_error_of_its_own(
    registry: Registry, ref: Ref[Any]
) -> None:
    registry.register("a", ref)
    error = RestartLimitError("root", SHUTDOWN)
    error.__cause__ = BoomError("why")
    registry.close(error)

    seen = []
    for ask in (
        lambda: registry.resolve("a"),
        lambda: registry.await_name("a"),
        lambda: registry.register("b", ref),
    ):
        with pytest.raises(RestartLimitError) as caught:
            ask()
        seen.append(caught.value)

    assert registry.closed is error
    assert len({id(one) for one in (error, *seen)}) == 4
    assert {one.__cause__ for one in seen} == {error.__cause__}
    assert error.__traceback__ is None
    assert (registry.names(), registry.count(), registry.whereis("a")) == ((), 0, None)


# Being called when a name is there.


def test_a_callback_is_called_once_when_the_name_comes(
    registry: Registry, ref: Ref[Any]
) -> None:
    found: list[Any] = []
    registry.when_registered("a", found.append)
    registry.register("b", ref)
    assert found == []

    registry.register("a", ref)
    registry.unregister("a", ref)
    registry.register("a", ref)

    assert found == [ref]
    assert len(registry._waiters) == 0


def test_a_callback_is_called_at_once_when_the_name_is_there(
    registry: Registry, ref: Ref[Any]
) -> None:
    found: list[Any] = []
    registry.register("a", ref)

    cancel = registry.when_registered("a", found.append)
    cancel()

    assert found == [ref]


def test_callbacks_hear_of_a_grave_and_of_the_tree_s_end(registry: Registry) -> None:
    found: dict[str, Any] = {}
    registry.when_registered("a", lambda error: found.update(buried=error))
    registry.when_registered("b", lambda error: found.update(closed=error))

    registry.bury("a", RestartLimitError("a", SHUTDOWN))
    registry.when_registered("a", lambda error: found.update(grave=error))
    over = ActorDownError("root", KILLED)
    registry.close(over)
    registry.when_registered("c", lambda error: found.update(later=error))

    assert {name: (type(e), e.name, e.reason) for name, e in found.items()} == {
        "buried": (RestartLimitError, "a", SHUTDOWN),
        "grave": (RestartLimitError, "a", SHUTDOWN),
        "closed": (ActorDownError, "root", KILLED),
        "later": (ActorDownError, "root", KILLED),
    }
    assert over not in found.values()


def test_a_cancelled_callback_is_never_called_and_not_kept(
    registry: Registry, ref: Ref[Any]
) -> None:
    found: list[Any] = []
    registry.when_registered("a", found.append)
    cancel = registry.when_registered("a", lambda _: found.append("cancelled"))

    cancel()
    cancel()
    registry.register("a", ref)
    cancel()

    registry.when_registered("b", found.append)()
    assert found == [ref]
    assert registry._waiters._by_key == {}


def test_a_callback_that_raises_harms_nobody(
    registry: Registry, ref: Ref[Any], caplog: pytest.LogCaptureFixture
) -> None:
    found: list[Any] = []

    def bad(_found: object) -> None:
        raise ValueError("bad callback")

    registry.when_registered("a", bad)
    registry.when_registered("a", found.append)
    with caplog.at_level(logging.ERROR, "supervisors"):
        registry.register("a", ref)

    assert found == [ref]
    assert len(caplog.records) == 1


# Listeners.


def test_listeners_hear_who_came_and_why_they_went(
    registry: Registry, ref: Ref[Any]
) -> None:
    heard: list[Any] = []
    registry.listen(heard.append)
    mortal = Scripted.start()

    registry.register("a", ref, 1)
    registry.unregister("a", ref)
    registry.unregister("a", ref)
    registry.register("b", mortal, 2)
    crash(mortal)

    assert heard[:3] == [
        Registered("a", ref, 1),
        Unregistered("a", ref, None),
        Registered("b", mortal, 2),
    ]
    assert isinstance(heard[3].reason, Crashed)
    assert len(heard) == 4


def test_listeners_hear_of_a_key_that_was_taken_over_with_the_reason(
    registry: Registry, other: Ref[Any]
) -> None:
    heard: list[Any] = []
    ref = Scripted.start()
    at_end_of(ref, lambda: registry.register("a", other))
    registry.register("a", ref)
    registry.listen(heard.append)

    ref.kill()

    assert heard == [Registered("a", other, None), Unregistered("a", ref, KILLED)]


def test_listeners_hear_that_the_tree_is_over(
    registry: Registry, ref: Ref[Any]
) -> None:
    heard: list[Any] = []
    registry.register("a", ref)
    registry.listen(heard.append)

    registry.close(ActorDownError("root", KILLED))

    assert heard == [Unregistered("a", ref, None)]


def test_a_tree_s_own_end_is_told_with_its_reason() -> None:
    heard: list[Any] = []
    top = Supervisor.start([worker("a")])
    names = top.registry
    names.listen(lambda news: heard.append((news, names.closed is not None)))
    expected = [
        (Unregistered("a", names.resolve("a"), SHUTDOWN), False),
        # Nobody finds the root's name gone before the reason is known.
        (Unregistered("root", top.ref(), SHUTDOWN), True),
    ]

    top.stop()

    assert heard == expected


def test_who_does_not_listen_any_more_hears_nothing(
    registry: Registry, ref: Ref[Any]
) -> None:
    heard: list[Any] = []
    number = registry.listen(heard.append)
    registry.unlisten(number)
    registry.unlisten(number)

    registry.register("a", ref)

    assert heard == []


def test_who_stops_listening_does_not_hear_what_is_being_told(
    registry: Registry, ref: Ref[Any]
) -> None:
    heard: list[Any] = []
    registry.listen(lambda _news: registry.unlisten(second))
    second = registry.listen(heard.append)

    registry.register("a", ref)

    assert heard == []


def test_who_begins_to_listen_does_not_hear_what_was_before(
    registry: Registry, ref: Ref[Any]
) -> None:
    heard: list[Any] = []
    registry.listen(lambda _news: registry.listen(heard.append))

    registry.register("a", ref)

    assert heard == []


def test_an_entry_that_goes_twice_at_once_is_told_once(
    registry: Registry, ref: Ref[Any]
) -> None:
    heard: list[Any] = []
    registry.register("a", ref)
    registry.listen(heard.append)

    def meddle(_value: object) -> bool:
        registry.unregister("a", ref)
        return True

    registry.unregister_match("a", ref, meddle)

    assert heard == [Unregistered("a", ref, None)]
    assert registry.count() == 0


def test_a_listener_that_raises_is_detached_and_reported_once(
    registry: Registry, ref: Ref[Any], caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[Any] = []

    def bad(_news: object) -> None:
        heard.append("bad")
        raise ValueError("bad listener")

    registry.listen(bad)
    registry.listen(heard.append)
    with caplog.at_level(logging.ERROR, "supervisors"):
        registry.register("a", ref)
        registry.unregister("a", ref)

    assert heard == ["bad", Registered("a", ref, None), Unregistered("a", ref, None)]
    assert len(caplog.records) == 1


def test_a_listener_may_use_the_registry_and_hears_all_in_order(
    registry: Registry, ref: Ref[Any]
) -> None:
    heard: list[Any] = []

    def meddle(news: Registered | Unregistered) -> None:
        if isinstance(news, Registered):
            registry.unregister(news.key, news.ref)

    registry.listen(meddle)
    registry.listen(heard.append)

    registry.register("a", ref)

    assert heard == [Registered("a", ref, None), Unregistered("a", ref, None)]


def test_news_are_told_by_one_thread_at_a_time_and_by_none_forgotten(
    registry: Registry, ref: Ref[Any]
) -> None:
    heard: list[Any] = []
    inside, go_on = threading.Event(), threading.Event()

    def slow(news: Any) -> None:
        heard.append(news.key)
        if news.key == "a":
            inside.set()
            assert go_on.wait(WAIT)

    registry.listen(slow)
    teller = threading.Thread(target=registry.register, args=("a", ref))
    teller.start()
    assert inside.wait(WAIT)

    registry.register("b", ref)
    assert heard == ["a"]
    go_on.set()
    teller.join(WAIT)

    assert heard == ["a", "b"]


def test_news_that_come_as_the_teller_ends_are_told(ref: Ref[Any]) -> None:
    heard: list[Any] = []
    late = Registered("late", ref, None)
    news = NameNews()

    class Telling:
        """The teller's lock; news come when it has seen none and still holds it."""

        def __init__(self) -> None:
            self.lock = threading.Lock()
            self.acquire = self.lock.acquire
            self.quiet = False

        def release(self) -> None:
            if not self.quiet:
                self.quiet = True
                news.note(late)
                news.tell()
            self.lock.release()

    news._telling = Telling()  # type: ignore[assignment] # the race, made sure
    news.listen(heard.append)
    news.note(Registered("a", ref, None))

    news.tell()

    assert heard == [Registered("a", ref, None), late]


@pytest.mark.parametrize(
    "use",
    [
        lambda registry, ref, probe: registry.select(probe),
        lambda registry, ref, probe: registry.count_match("a", probe),
        lambda registry, ref, probe: registry.unregister_match("a", ref, probe),
        lambda registry, ref, probe: registry.update_value("a", ref, probe),
        lambda registry, ref, probe: registry.dispatch("a", probe),
        lambda registry, ref, probe: registry.when_registered("a", probe),
        lambda registry, ref, probe: (
            registry.when_registered("b", probe),
            registry.register("b", ref),
        ),
        lambda registry, ref, probe: (
            registry.when_registered("b", probe),
            registry.bury("b", ActorDownError("b", KILLED)),
        ),
        lambda registry, ref, probe: (
            registry.when_registered("b", probe),
            registry.close(ActorDownError("root", KILLED)),
        ),
        lambda registry, ref, probe: (
            registry.listen(probe),
            registry.register("b", ref),
        ),
        lambda registry, ref, probe: (
            registry.listen(probe),
            registry.unregister("a", ref),
        ),
    ],
)
def test_no_callback_runs_under_the_lock(
    registry: Registry,
    ref: Ref[Any],
    use: Callable[[Registry, Ref[Any], Callable[[Any], bool]], object],
) -> None:
    free: list[bool] = []

    def probe(_given: object) -> bool:
        # Another thread gets in, so this one does not hold the lock.
        looking = threading.Thread(target=registry.lookup, args=("a",), daemon=True)
        looking.start()
        looking.join(WAIT)
        free.append(not looking.is_alive())
        return True

    registry.register("a", ref, 1)

    use(registry, ref, probe)

    assert free == [True]


# Facts, trees and crowds.


def test_a_registry_keeps_facts_of_its_own(registry: Registry) -> None:
    registry.put_meta("region", "north")
    registry.put_meta("region", "south")

    assert registry.meta("region") == "south"
    registry.delete_meta("region")
    registry.delete_meta("region")
    assert registry.meta("region") is None
    assert registry.meta("region", "none") == "none"


def test_trees_with_the_same_names_never_collide() -> None:
    with Supervisor.start([worker("a")]) as one, Supervisor.start([worker("a")]) as two:
        first, second = one.registry.resolve("a"), two.registry.resolve("a")
        assert first is not second

        one.stop()

        assert two.registry.resolve("a") is second
        assert two.handle("a").call(lambda actor: actor.actor_ref is second)
        assert two.registry.names() == ("a", "root")


def test_a_tree_has_unique_names() -> None:
    with pytest.raises(ConfigError, match="a name in a tree has one actor"):
        Supervisor.start(registry=Registry(keys="duplicate"))


def test_one_of_many_threads_gets_a_unique_key(registry: Registry) -> None:
    actors = [Scripted.start() for _ in range(8)]
    lost: list[AlreadyRegisteredError] = []

    for number in range(50):
        won: list[Ref[Any]] = []
        start = threading.Barrier(len(actors))

        def race(
            ref: Ref[Any],
            number: int = number,
            start: threading.Barrier = start,
            won: list[Ref[Any]] = won,
        ) -> None:
            start.wait(WAIT)
            try:
                registry.register(number, ref)
                won.append(ref)
            except AlreadyRegisteredError as error:
                lost.append(error)

        threads = [threading.Thread(target=race, args=(ref,)) for ref in actors]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(WAIT)
        assert won == [registry.whereis(number)]

    assert len(lost) == 50 * 7
    for ref in actors:
        ref.kill()
    assert registry.count() == 0


def test_a_key_whose_owners_are_killed_has_one_living_owner_at_a_time(
    registry: Registry,
) -> None:
    heard: list[Any] = []
    registry.listen(heard.append)
    owned: list[Ref[Any]] = []
    wrong: list[object] = []

    def live_and_die() -> None:
        for _ in range(100):
            ref = Scripted.start()
            try:
                registry.register("a", ref)
                owned.append(ref)
                if registry.whereis("a") is not ref:
                    wrong.append(ref)
            except AlreadyRegisteredError as error:
                if error.ref is ref:
                    wrong.append(error)
            ref.kill()

    threads = [threading.Thread(target=live_and_die) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT)

    assert wrong == []
    assert registry.count() == 0
    came = [news.ref for news in heard if isinstance(news, Registered)]
    assert set(came) == set(owned)
    assert len(heard) == 2 * len(came) == 2 * len(owned)
    for ref in came:
        assert [type(news) for news in heard if news.ref is ref] == [
            Registered,
            Unregistered,
        ]
